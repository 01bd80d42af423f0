"""Signing in with address and password."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from regstack.auth.emails import email_key
from regstack.errors import AccountDisabled, EmailNotVerified, InvalidCredentials
from regstack.services.lockout import LOGIN

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.auth.passwords import PasswordHasher
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.models.user import User
    from regstack.services.events import EventHooks
    from regstack.services.lockout import Lockout
    from regstack.services.sessions import AccessToken, Sessions


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
        events: EventHooks,
        clock: Clock,
        config: RegStackConfig,
    ) -> None:
        self._users = users
        self._hasher = hasher
        self._sessions = sessions
        self._lockout = lockout
        self._events = events
        self._clock = clock
        self._require_verification = config.require_verification
        self._quiet = config.quiet_registration

    async def log_in(self, email: str, password: str) -> AccessToken:
        """Check address and password and hand out an access token.

        Raises:
            InvalidCredentials: wrong address or wrong password.
            TooManyAttempts: too many wrong passwords for this address.
            AccountDisabled: right password, but the account is disabled.
            EmailNotVerified: right password, but the address is not confirmed yet.
            Overloaded: too many passwords are being checked already.
        """
        key = email_key(email)
        self._hasher.ensure_room()  # being turned away must not count as a guess
        await self._lockout.claim(LOGIN, key)
        subject = await self._users.find_login_subject(key)
        found = subject.user or subject.pending
        check = await self._hasher.verify(password, found.hashed_password if found else None)
        if not check.matches:
            raise InvalidCredentials
        user = subject.user
        if user is None:
            raise InvalidCredentials if self._quiet else EmailNotVerified
        if not user.is_active:
            raise AccountDisabled
        if self._require_verification and not user.is_verified:
            raise EmailNotVerified
        await self._complete(user, key, check.new_hash)
        return self._sessions.issue(user)

    async def _complete(self, user: User, key: str, new_hash: str | None) -> None:
        now = self._clock.now()
        writes = [self._users.record_login(user.id, now), self._lockout.clear(LOGIN, key)]
        if new_hash is not None and user.hashed_password is not None:
            writes.append(
                self._users.rehash_password(user.id, old_hash=user.hashed_password, new_hash=new_hash)
            )
        await asyncio.gather(*writes)
        self._events.fire("user_logged_in", user=user)
