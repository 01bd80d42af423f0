"""Signing in with address and password."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from regstack.auth.emails import email_key
from regstack.errors import AccountDisabled, AuthenticationError, EmailNotVerified, InvalidCredentials
from regstack.services.lockout import LOGIN

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.auth.passwords import PasswordHasher
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.models.user import LoginSubject, User
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.lockout import Lockout
    from regstack.services.sessions import AccessToken, Sessions

_REASONS: dict[type[AuthenticationError], str] = {
    InvalidCredentials: "credentials",
    AccountDisabled: "disabled",
    EmailNotVerified: "unverified",
}


class Login:
    """The first factor.

    Every path, known address or not, makes the same claim, the same read and exactly one
    password verification; what differs is told only after the right password.
    """

    def __init__(
        self,
        users: UserRepoProtocol,
        hasher: PasswordHasher,
        sessions: Sessions,
        lockout: Lockout,
        limits: Limits,
        audit: Audit,
        events: EventHooks,
        clock: Clock,
        config: RegStackConfig,
    ) -> None:
        self._users = users
        self._hasher = hasher
        self._sessions = sessions
        self._lockout = lockout
        self._limits = limits
        self._audit = audit
        self._events = events
        self._clock = clock
        self._require_verification = config.require_verification
        self._quiet = config.quiet_registration

    async def log_in(self, email: str, password: str) -> AccessToken:
        """Check address and password and hand out an access token.

        Raises:
            InvalidCredentials: wrong address or wrong password.
            TooManyAttempts: too many wrong passwords for this address, or `login_rate_limit` is
                reached.
            AccountDisabled: right password, but the account is disabled.
            EmailNotVerified: right password, but the address is not confirmed yet.
            Overloaded: too many passwords are being checked already.
        """
        key = email_key(email)
        self._hasher.ensure_room()  # being turned away must not count as a guess
        await self._limits.claim("login", key)
        await self._lockout.claim(LOGIN, key)
        subject = await self._users.find_login_subject(key)
        found = subject.user or subject.pending
        check = await self._hasher.verify(password, found.hashed_password if found else None)
        try:
            user = self._admit(subject, matches=check.matches)
        except AuthenticationError as error:
            reason = _REASONS[type(error)]
            self._audit.record("login", "failure", user=subject.user, account=key, reason=reason)
            raise
        await self._complete(user, key, check.new_hash)
        return self._sessions.issue(user)

    def _admit(self, subject: LoginSubject, *, matches: bool) -> User:
        user = subject.user
        if not matches or (user is None and self._quiet):
            raise InvalidCredentials
        if user is not None and not user.is_active:
            raise AccountDisabled
        if user is None or (self._require_verification and not user.is_verified):
            raise EmailNotVerified
        return user

    async def _complete(self, user: User, key: str, new_hash: str | None) -> None:
        now = self._clock.now()
        writes = [
            self._users.record_login(user.id, now),
            self._lockout.clear(LOGIN, key),
            self._lockout.remember_place(key),
        ]
        if new_hash is not None and user.hashed_password is not None:
            writes.append(
                self._users.rehash_password(user.id, old_hash=user.hashed_password, new_hash=new_hash)
            )
        await asyncio.gather(*writes)
        self._audit.record("login", user=user)
        self._events.fire("user_logged_in", user=user)
