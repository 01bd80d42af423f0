"""One at a time, or once in all, on any number of workers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from regstack.errors import TooManyAttempts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta

    from regstack.auth.clock import Clock
    from regstack.auth.keys import KeyRing
    from regstack.backends.protocols import LoginAttemptRepoProtocol


class Turns:
    """Turns that storage hands out: an attempt at something that may be tried once (ATT-01).

    A turn that is not given back, after a crash for example, ends by itself.
    """

    def __init__(self, attempts: LoginAttemptRepoProtocol, keys: KeyRing, clock: Clock) -> None:
        self._attempts = attempts
        self._keys = keys
        self._clock = clock

    async def take(self, purpose: str, subject: str, *, lasts: timedelta) -> None:
        """Take the turn, for so long at the most.

        Raises:
            TooManyAttempts: somebody else has it, or had it and never gave it back.
        """
        decision = await self._attempts.claim(
            self._key(purpose, subject), limit=1, window=lasts, now=self._clock.now()
        )
        if not decision.allowed:
            raise TooManyAttempts(decision.retry_after)

    @asynccontextmanager
    async def hold(self, purpose: str, subject: str, *, lasts: timedelta) -> AsyncIterator[None]:
        """Take the turn, and give it back in the end.

        Raises:
            TooManyAttempts: somebody else has it.
        """
        await self.take(purpose, subject, lasts=lasts)
        try:
            yield
        finally:
            await self._attempts.clear(self._key(purpose, subject))

    def _key(self, purpose: str, subject: str) -> str:
        return self._keys.fingerprint("turns", f"{purpose}:{subject}")
