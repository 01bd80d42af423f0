"""What people do with their own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.errors import InvalidToken

if TYPE_CHECKING:
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.reauthentication import Reauthentication


class Accounts:
    """The signed-in person's profile, and its end."""

    def __init__(
        self,
        users: UserRepoProtocol,
        reauthentication: Reauthentication,
        limits: Limits,
        audit: Audit,
        events: EventHooks,
    ) -> None:
        self._users = users
        self._reauthentication = reauthentication
        self._limits = limits
        self._audit = audit
        self._events = events

    async def rename(self, user: User, full_name: str | None) -> User:
        """Set the name.

        Raises:
            InvalidToken: the account is gone.
        """
        renamed = await self._users.update_profile(user.id, full_name=full_name)
        if renamed is None:
            raise InvalidToken
        return renamed

    async def delete(self, user: User, current_password: str) -> None:
        """Delete the account and all that is keyed to it.

        Raises:
            WrongPassword, NoPasswordSet, TooManyAttempts, Overloaded: see `Reauthentication`.
            TooManyAttempts: `delete_account_rate_limit` is reached.
            LastSuperuserError: this is the last active administrator.
            InvalidToken: the account changed in the meantime, by a reset for example.
        """
        await self._limits.claim("delete_account", user.email_key)
        async with self._reauthentication.of(user, current_password):
            deleted = await self._users.delete(user.id, token_version=user.token_version)
        if not deleted:
            raise InvalidToken
        self._audit.record("account_delete", user=user)
        self._events.fire("user_deleted", user=user)
