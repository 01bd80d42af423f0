"""Counting guesses before they are made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.errors import TooManyAttempts
from regstack.services.throttle import Rule

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.throttle import Throttle


LOGIN = "login"
"""An attempt to sign in with a password."""

PASSWORD = "password"  # noqa: S105 - a purpose
"""An attempt to confirm the current password."""

MFA = "mfa"
"""A guess at a texted code, whichever code it is."""

SMS = "sms"
"""A text with a code: nothing is guessed, but somebody pays for it."""

CONFIRMATION = "confirmation"
"""An attempt to confirm an address with the password, for the link that was mailed."""


class Lockout:
    """Limits guesses, and what they cost, for one account (OWASP ASVS 5.0, V6.3.1).

    A guess is claimed in storage before it is looked at, so that of many at once, on any number
    of workers, no more than `login_lockout_threshold` are evaluated for each purpose. Storage
    sees a keyed hash of the account, never its address. The owner's own places are counted
    apart; see `Throttle`.
    """

    def __init__(self, throttle: Throttle, audit: Audit, config: RegStackConfig) -> None:
        self._throttle = throttle
        self._audit = audit
        self._enabled = not config.rate_limit_disabled
        self._rule = Rule(
            config.login_lockout_threshold, timedelta(seconds=config.login_lockout_window_seconds)
        )

    async def claim(self, purpose: str, account: str, *, signed_in: bool = False) -> None:
        """Pay for one guess.

        Args:
            purpose: what is tried: `LOGIN`, `PASSWORD`, `MFA`, `SMS`, `CONFIRMATION`.
            account: the email key that it is tried for, of an account or not; of a `CONFIRMATION` the
                hash of the token.
            signed_in: whoever tries has a session or a mailed token already, so that no place makes
                that the owner.

        Raises:
            TooManyAttempts: the limit of the current window is reached.
        """
        if not self._enabled:
            return
        if signed_in:
            decision = await self._throttle.claim(f"{purpose}:{account}", self._rule)
        else:
            decision = await self._throttle.claim_for(purpose, account, self._rule)
        if not decision.allowed:
            self._audit.record("lockout", "refused", account=account, purpose=purpose)
            raise TooManyAttempts(decision.retry_after)

    async def clear(self, purpose: str, account: str) -> None:
        """Forget the guesses, after the last factor was right; see `Throttle.forget`."""
        if self._enabled:
            await self._throttle.forget(purpose, account, self._rule)

    async def lift(self, purpose: str, account: str) -> None:
        """Let everybody try again, after a reset by mail."""
        if self._enabled:
            await self._throttle.lift(purpose, account)

    def remember_place(self, user: User) -> None:
        """Know the caller's browser and network again, soon after the answer.

        Args:
            user: the account as it is now that the last factor was right, or the password changed.
        """
        if self._enabled:
            self._throttle.remember_place(user)
