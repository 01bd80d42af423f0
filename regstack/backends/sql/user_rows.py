"""Users by position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, bindparam, null, or_, update

from regstack.backends.sql.repository import Repository, columns_of, given_values, new_values
from regstack.models.text import search_key
from regstack.models.user import User

if TYPE_CHECKING:
    from sqlalchemy import BindParameter
    from sqlalchemy.sql import Update

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.statement import Statement
    from regstack.backends.sql.tables import Tables


class UserRows(Repository):
    """What every repository over the users' table needs."""

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        self._users = tables.users
        self._columns = columns_of(tables.users, User)
        self._width = len(self._columns)
        version = bindparam("version", type_=Integer)
        self._same_version = or_(version.is_(None), tables.users.c.token_version == version)

    async def _user(self, statement: Statement, **parameters: Any) -> User | None:
        row = await self._db.fetch_one(statement, **parameters)
        return User(*row) if row is not None else None

    async def _changed(self, statement: Statement, **parameters: Any) -> User | None:
        return await self._user(statement, at=self._clock.now(), **parameters)

    def _change(self, **values: Any) -> Update:
        """UPDATE … SET the values and `updated_at` (parameter `at`)."""
        return update(self._users).values(updated_at=bindparam("at"), **values)

    def _end_of_sessions(self, **values: Any) -> Update:
        """`_change` that also ends all sessions (USR-02) and drops one-time tokens (USR-03)."""
        return self._change(
            token_version=self._users.c.token_version + 1,
            tokens_invalidated_after=bindparam("at"),
            reset_token_hash=null(),
            reset_token_expires_at=null(),
            email_change_token_hash=null(),
            email_change_expires_at=null(),
            new_email=null(),
            new_email_key=null(),
            **values,
        )


def new_account() -> dict[str, BindParameter[Any]]:
    """Give the parameters that an INSERT of an account takes."""
    return new_values(User) | {"full_name_key": bindparam("new_full_name_key")}


def given_account(user: User) -> dict[str, Any]:
    """Give an account as the parameters of `new_account`."""
    return given_values(user) | {"new_full_name_key": search_key(user.full_name or "")}
