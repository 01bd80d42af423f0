"""Counting guesses before they are made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.errors import TooManyAttempts

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.auth.keys import KeyRing
    from regstack.backends.protocols import LoginAttemptRepoProtocol
    from regstack.config.schema import RegStackConfig


LOGIN = "login"
"""Purpose of an attempt to sign in; the subject is an email key."""

PASSWORD = "password"  # noqa: S105 - a purpose
"""Purpose of an attempt to confirm the current password; the subject is a user id."""


class Lockout:
    """Limits wrong passwords for one account (OWASP ASVS 5.0, V6.3.1).

    An attempt is claimed in storage before the password is looked at, so that of many at once,
    on any number of workers, no more than `login_lockout_threshold` are evaluated. Storage sees
    a keyed hash of the account, never its address.
    """

    def __init__(
        self, attempts: LoginAttemptRepoProtocol, keys: KeyRing, clock: Clock, config: RegStackConfig
    ) -> None:
        self._attempts = attempts
        self._keys = keys
        self._clock = clock
        self._enabled = not config.rate_limit_disabled
        self._limit = config.login_lockout_threshold
        self._window = timedelta(seconds=config.login_lockout_window_seconds)

    async def claim(self, purpose: str, subject: str) -> None:
        """Pay for one attempt.

        Args:
            purpose: what is tried, `LOGIN` or `PASSWORD`.
            subject: whose.

        Raises:
            TooManyAttempts: the limit of the current window is reached.
        """
        if not self._enabled:
            return
        decision = await self._attempts.claim(
            self._key(purpose, subject), limit=self._limit, window=self._window, now=self._clock.now()
        )
        if not decision.allowed:
            raise TooManyAttempts(decision.retry_after)

    async def clear(self, purpose: str, subject: str) -> None:
        """Forget the attempts, after the last factor was right."""
        if self._enabled:
            await self._attempts.clear(self._key(purpose, subject))

    def _key(self, purpose: str, subject: str) -> str:
        return self._keys.fingerprint("attempts", f"{purpose}:{subject}")
