"""Changing a password, and recovering a forgotten one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.auth.emails import email_key
from regstack.auth.one_time import hash_token, new_token
from regstack.errors import InvalidOneTimeToken, InvalidToken
from regstack.services.lockout import LOGIN, PASSWORD

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.auth.password_policy import PasswordPolicy
    from regstack.auth.passwords import PasswordHasher
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.background import BackgroundQueue
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.lockout import Lockout
    from regstack.services.notices import Notices
    from regstack.services.reauthentication import Reauthentication
    from regstack.services.sessions import AccessToken, Sessions


class Passwords:
    """Every way to a new password; each ends all earlier sessions and links."""

    def __init__(
        self,
        users: UserRepoProtocol,
        hasher: PasswordHasher,
        policy: PasswordPolicy,
        reauthentication: Reauthentication,
        sessions: Sessions,
        lockout: Lockout,
        notices: Notices,
        background: BackgroundQueue,
        limits: Limits,
        audit: Audit,
        events: EventHooks,
        clock: Clock,
        config: RegStackConfig,
    ) -> None:
        self._users = users
        self._hasher = hasher
        self._policy = policy
        self._reauthentication = reauthentication
        self._sessions = sessions
        self._lockout = lockout
        self._notices = notices
        self._background = background
        self._limits = limits
        self._audit = audit
        self._events = events
        self._clock = clock
        self._app_name = config.app_name
        self._ttl = timedelta(seconds=config.password_reset_token_ttl_seconds)

    async def change(self, user: User, current_password: str, new_password: str) -> AccessToken:
        """Replace the password of a signed-in account; answers the only token that is still good.

        Raises:
            PasswordRejected: the new password breaks the policy.
            WrongPassword, NoPasswordSet, TooManyAttempts, Overloaded: see `Reauthentication`.
            TooManyAttempts: `change_password_rate_limit` is reached.
            InvalidToken: the account changed in the meantime, by a reset for example.
        """
        await self._limits.claim("change_password", user.email_key)
        self._policy.check(new_password, context=[user.email_key, user.full_name or "", self._app_name])
        async with self._reauthentication.of(user, current_password):
            with self._hasher.turn(signed_in=True) as turn:
                hashed = await self._hasher.hash(new_password, turn)
            changed = await self._users.set_password(user.id, hashed, token_version=user.token_version)
        if changed is None:
            raise InvalidToken
        self._lockout.remember_place(changed)
        self._audit.record("password_change", user=changed)
        self._notices.password_changed(changed)
        self._events.fire("password_changed", user=changed)
        return self._sessions.issue(changed)

    async def forgot(self, email: str) -> None:
        """Mail a reset link where the address has an account.

        One read, and the rest after the answer, so that neither answer nor time says whether
        the address is known.

        Raises:
            TooManyAttempts: `forgot_password_rate_limit` is reached.
        """
        key = email_key(email)
        await self._limits.claim("forgot_password", key)
        self._audit.record("password_reset_request", account=key)
        user = await self._users.get_by_email(key)
        self._background.put(lambda: self._send_reset_link(user), label="forgot-password")

    async def reset(self, token: str, new_password: str) -> User:
        """Set a password with a mailed token, and lift the lockout.

        Raises:
            PasswordRejected: the new password breaks the policy; the token stays good.
            InvalidOneTimeToken: the token is unknown, used, replaced, dropped or expired.
            TooManyAttempts: `reset_password_rate_limit` is reached.
            Overloaded: too many passwords are being hashed already.
        """
        with self._hasher.turn() as turn:  # first: being turned away must not count as a call
            await self._limits.claim("reset_password")
            self._policy.check(new_password, context=[self._app_name])
            hashed = await self._hasher.hash(new_password, turn)
        user = await self._users.reset_password(hash_token(token), hashed, self._clock.now())
        if user is None:
            self._audit.record("password_reset", "failure")
            raise InvalidOneTimeToken
        self._audit.record("password_reset", user=user)
        await asyncio.gather(
            self._lockout.lift(LOGIN, user.email_key),
            self._lockout.lift(PASSWORD, user.email_key),
        )
        self._lockout.remember_place(user)
        self._notices.password_changed(user)
        self._events.fire("password_reset_completed", user=user)
        return user

    async def _send_reset_link(self, user: User | None) -> None:
        if user is None or not user.is_active:
            return
        token, now = new_token(), self._clock.now()
        stored = await self._users.put_reset_token(
            user.id, hash_token(token), now + self._ttl, token_version=user.token_version
        )
        if stored:
            self._notices.password_reset(user, token, self._ttl)
            self._events.fire("password_reset_requested", user=user)
