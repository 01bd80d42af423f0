"""Password hashing: Argon2id, in threads of its own (RFC 9106; OWASP Password Storage Cheat Sheet)."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

from regstack.auth.bounded_threads import BoundedThreads
from regstack.auth.processors import usable_processors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from regstack.auth.bounded_threads import HungUp, Turn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """Cost of one hash.

    Attributes:
        memory_kib: memory in KiB.
        time_cost: passes over it.
        parallelism: lanes.
    """

    memory_kib: int
    time_cost: int
    parallelism: int


PRESETS: Mapping[str, Argon2Parameters] = {
    "owasp": Argon2Parameters(19 * 1024, 2, 1),
    "owasp-46mib": Argon2Parameters(46 * 1024, 1, 1),
    "rfc9106-low": Argon2Parameters(64 * 1024, 3, 4),
    "insecure-test": Argon2Parameters(8, 1, 1),
}
"""Parameters by the names of the setting `password_hash_preset`."""


def parameters(
    preset: str,
    *,
    memory_kib: int | None = None,
    time_cost: int | None = None,
    parallelism: int | None = None,
) -> Argon2Parameters:
    """Give the parameters of a preset, with those replaced that are given.

    Args:
        preset: a key of `PRESETS`.
        memory_kib: memory in KiB.
        time_cost: passes over it.
        parallelism: lanes.
    """
    base = PRESETS[preset]
    return Argon2Parameters(
        memory_kib=memory_kib or base.memory_kib,
        time_cost=time_cost or base.time_cost,
        parallelism=parallelism or base.parallelism,
    )


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """The answer to a password.

    Attributes:
        matches: the password is the right one.
        new_hash: a hash with the current parameters, where it matches and the stored one has others.
    """

    matches: bool
    new_hash: str | None = field(default=None, repr=False)


class PasswordHasher:
    """Hashes and checks passwords without ever blocking the event loop.

    Args:
        parameters: cost of one hash.
        threads: how many hashes run at the same time; None for as many as suit this machine.
        queue_size: how many may wait for a thread.
        hung_up: see `BoundedThreads`.
    """

    def __init__(
        self,
        parameters: Argon2Parameters,
        *,
        threads: int | None = None,
        queue_size: int = 64,
        hung_up: HungUp = lambda: None,
    ) -> None:
        self._hash = PasswordHash(
            (
                Argon2Hasher(
                    time_cost=parameters.time_cost,
                    memory_cost=parameters.memory_kib,
                    parallelism=parameters.parallelism,
                ),
            )
        )
        self._nobody = _unmatched_hash(parameters)
        self._threads = BoundedThreads(threads or suitable_threads(), queue_size, hung_up=hung_up)

    async def hash(self, password: str, turn: Turn | None = None) -> str:
        """Give the PHC string of a new hash.

        Args:
            password: the password.
            turn: the place that the caller holds, if it holds one.

        Raises:
            Overloaded: the queue is full, or whoever asked hung up while it waited.
        """
        return await self._run(lambda: self._hash.hash(password), turn)

    async def verify(self, password: str, hashed: str | None, turn: Turn | None = None) -> PasswordCheck:
        """Check a password; the same work is done where there is no hash (`hashed` is None).

        Args:
            password: the password.
            hashed: a PHC string.
            turn: the place that the caller holds, if it holds one.

        Raises:
            Overloaded: the queue is full, or whoever asked hung up while it waited.
        """
        return await self._run(lambda: self._verify(password, hashed), turn)

    def turn(self, *, signed_in: bool = False) -> AbstractContextManager[Turn]:
        """Hold a place in the queue, before anything is paid for that would be lost without one.

        Args:
            signed_in: whoever asks is signed in; some places are kept for them.

        Raises:
            Overloaded: the queue is full.
        """
        return self._threads.turn(signed_in=signed_in)

    def close(self) -> None:
        """End the threads; what waits is dropped."""
        self._threads.close()

    def _verify(self, password: str, hashed: str | None) -> PasswordCheck:
        try:
            matches, new_hash = self._hash.verify_and_update(password, hashed or self._nobody)
        except PwdlibError:
            return PasswordCheck(matches=False)
        return PasswordCheck(matches and hashed is not None, new_hash if matches else None)

    async def _run(self, work: Callable[[], T], turn: Turn | None) -> T:
        if turn is not None:
            return await turn.run(work)
        with self.turn() as own:
            return await own.run(work)


def suitable_threads() -> int:
    """Give how many hashes this process should compute at once.

    Two, so that a worker alone uses two processors in a storm; where there is but one, or a part of it,
    a second thread would hash no more and take from the event loop. More processors are for more
    workers, each with threads of its own.
    """
    return max(1, min(2, int(usable_processors())))


def _unmatched_hash(parameters: Argon2Parameters) -> str:
    """Write a hash that no password has, without computing one."""

    def part(size: int) -> str:
        return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()

    cost = f"m={parameters.memory_kib},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v=19${cost}${part(16)}${part(32)}"
