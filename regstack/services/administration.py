"""What administrators do with all accounts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regstack.models.ids import is_id

if TYPE_CHECKING:
    from regstack.backends.protocols import PendingRepoProtocol, UserRepoProtocol
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks


@dataclass(frozen=True, slots=True)
class Stats:
    """How many there are of what."""

    total_users: int
    active_users: int
    verified_users: int
    superusers: int
    pending_registrations: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page of accounts in the order of their ids.

    Attributes:
        items: the accounts.
        total: how many match in all; None when paging by `after`, which need not count.
        next: `after` of the next page; None on the last one.
    """

    items: list[User]
    total: int | None
    next: str | None


class Administration:
    """Looking accounts up and changing them."""

    def __init__(
        self, users: UserRepoProtocol, pending: PendingRepoProtocol, audit: Audit, events: EventHooks
    ) -> None:
        self._users = users
        self._pending = pending
        self._audit = audit
        self._events = events

    async def stats(self) -> Stats:
        """Count accounts and pending registrations."""
        return Stats(
            *await asyncio.gather(
                self._users.count(),
                self._users.count(is_active=True),
                self._users.count(is_verified=True),
                self._users.count(is_superuser=True),
                self._pending.count_unexpired(),
            )
        )

    async def page(
        self, *, limit: int, skip: int = 0, after: str | None = None, search: str | None = None
    ) -> Page:
        """List accounts.

        Args:
            limit: accounts on a page.
            skip: accounts to pass over; costs more the deeper it goes.
            after: last id of the page before; costs the same at any depth.
            search: prefix of an address or a name.
        """
        rows = self._users.list_page(limit=limit + 1, skip=skip, after=after, search=search)
        if after is None:
            items, total = await asyncio.gather(rows, self._users.count(search=search))
        else:
            items, total = await rows, None
        more = len(items) > limit
        return Page(items[:limit], total, items[limit - 1].id if more else None)

    async def find(self, user_id: str) -> User | None:
        """Find an account by id."""
        return await self._users.get_by_id(user_id) if is_id(user_id) else None

    async def update(
        self,
        user_id: str,
        *,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        renaming: tuple[str | None] | None = None,
    ) -> User | None:
        """Change flags and name of an account; None where there is no such account.

        Args:
            user_id: whose.
            is_active: False ends all sessions.
            is_superuser: administrator or not.
            renaming: the new name in a tuple, or None to leave it.

        Raises:
            LastSuperuserError: no active administrator would be left; nothing changed.
        """
        if not is_id(user_id):
            return None
        user = await self._users.get_by_id(user_id)
        if user is not None and (is_active is not None or is_superuser is not None):
            user = await self._users.set_flags(user_id, is_active=is_active, is_superuser=is_superuser)
        if user is not None and renaming is not None:
            user = await self._users.update_profile(user_id, full_name=renaming[0])
        if user is not None:
            self._audit.record("admin_update", user=user, changed=_changed(is_active, is_superuser, renaming))
        return user

    async def delete(self, user_id: str) -> bool:
        """Delete an account and all that is keyed to it.

        Raises:
            LastSuperuserError: no active administrator would be left; nothing changed.
        """
        user = await self.find(user_id)
        if user is None or not await self._users.delete(user_id):
            return False
        self._audit.record("admin_delete", user=user)
        self._events.fire("user_deleted", user=user)
        return True


def _changed(is_active: bool | None, is_superuser: bool | None, renaming: tuple[str | None] | None) -> str:
    """Name what was asked for, for the record."""
    words = {
        "enabled" if is_active else "disabled": is_active is not None,
        "promoted" if is_superuser else "demoted": is_superuser is not None,
        "renamed": renaming is not None,
    }
    return ",".join(word for word, asked in words.items() if asked) or "nothing"
