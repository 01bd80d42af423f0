"""Password hashing: Argon2id, in threads of its own (RFC 9106; OWASP Password Storage Cheat Sheet)."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

from regstack.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

T = TypeVar("T")

RETRY_AFTER = timedelta(seconds=2)
"""What a request that finds the queue full is told to wait."""


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

    Threads start at first use and end with `close`.

    Args:
        parameters: cost of one hash.
        threads: how many hashes run at the same time.
        queue_size: how many may wait for a thread.
    """

    def __init__(self, parameters: Argon2Parameters, *, threads: int = 2, queue_size: int = 64) -> None:
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
        self._threads = threads
        self._capacity = threads + queue_size
        self._busy = 0
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    async def hash(self, password: str) -> str:
        """Give the PHC string of a new hash.

        Raises:
            Overloaded: the queue is full.
        """
        return await self._run(lambda: self._hash.hash(password))

    async def verify(self, password: str, hashed: str | None) -> PasswordCheck:
        """Check a password; the same work is done where there is no hash (`hashed` is None).

        Raises:
            Overloaded: the queue is full.
        """
        return await self._run(lambda: self._verify(password, hashed))

    def ensure_room(self) -> None:
        """Say early, before anything is paid for, that there is no room for another hashing.

        Raises:
            Overloaded: the queue is full.
        """
        if self._busy >= self._capacity:
            raise Overloaded(RETRY_AFTER)

    def close(self) -> None:
        """End the threads; what waits is dropped."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _verify(self, password: str, hashed: str | None) -> PasswordCheck:
        try:
            matches, new_hash = self._hash.verify_and_update(password, hashed or self._nobody)
        except PwdlibError:
            return PasswordCheck(matches=False)
        return PasswordCheck(matches and hashed is not None, new_hash if matches else None)

    async def _run(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self._busy >= self._capacity:
                raise Overloaded(RETRY_AFTER)
            self._busy += 1
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="regstack-password")
            future = self._executor.submit(work)
        future.add_done_callback(self._release)
        return await asyncio.wrap_future(future)

    def _release(self, _: Future[T]) -> None:
        with self._lock:
            self._busy -= 1


def _unmatched_hash(parameters: Argon2Parameters) -> str:
    """Write a hash that no password has, without computing one."""

    def part(size: int) -> str:
        return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()

    cost = f"m={parameters.memory_kib},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v=19${cost}${part(16)}${part(32)}"
