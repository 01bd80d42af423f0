"""Counting and listing users."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import String, bindparam, cast, func, select

from regstack.backends.sql.user_rows import UserRows
from regstack.models.ids import is_id
from regstack.models.text import end_of_prefix, search_key
from regstack.models.user import User

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement, Subquery

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.statement import Statement
    from regstack.backends.sql.tables import Tables

_Place = Literal["", "id", "text"]
_Shape = tuple[bool, bool, _Place, bool | None, bool | None, bool | None]


class UserPaging(UserRows):
    """The part of `UserRepoProtocol` for administrators' lists.

    One statement for each shape of a question, compiled when it is first asked: flags stand in
    the text, since only then a partial index serves them.
    """

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        self._shapes: dict[_Shape, Statement] = {}

    async def count(
        self,
        *,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> int:
        prefix = search_key(search) if search else ""
        statement = self._statement((True, prefix != "", "", is_active, is_superuser, is_verified))
        row = await self._db.fetch_one(statement, low=prefix, high=end_of_prefix(prefix))
        return int(row[0]) if row is not None else 0

    async def list_page(
        self,
        *,
        limit: int,
        after: str | None = None,
        skip: int = 0,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> list[User]:
        prefix = search_key(search) if search else ""
        place: _Place = "" if after is None else "id" if is_id(after) else "text"
        shape = (False, prefix != "", place, is_active, is_superuser, is_verified)
        rows = await self._db.fetch_all(
            self._statement(shape),
            low=prefix,
            high=end_of_prefix(prefix),
            last=after,
            most=limit,
            skipped=skip,
        )
        return [User(*row) for row in rows]

    def _statement(self, shape: _Shape) -> Statement:
        statement = self._shapes.get(shape)
        if statement is None:
            statement = self._shapes[shape] = self._prepared(*shape)
        return statement

    def _prepared(
        self,
        counts: bool,
        searches: bool,
        continues: _Place,
        *flags: bool | None,
    ) -> Statement:
        c = self._users.c
        flagged: list[ColumnElement[Any]] = [
            column.is_(flag)
            for column, flag in zip((c.is_active, c.is_superuser, c.is_verified), flags, strict=True)
            if flag is not None
        ]
        found = self._matches() if searches else None
        if counts:
            counted = select(func.count()).select_from(self._users).where(*flagged)
            return self._db.prepare(counted if found is None else counted.where(c.id.in_(select(found.c.id))))
        page = select(*self._columns).where(*flagged)
        place: ColumnElement[Any] = c.id
        if found is not None:
            page = page.join_from(found, self._users, found.c.id == c.id)
            place = found.c.id
        if continues == "id":
            page = page.where(place > bindparam("last"))
        elif continues == "text":  # no id, so an id's own type would not take it
            page = page.where(cast(place, String) > bindparam("last", type_=c.email_key.type))
        page = page.order_by(place)
        return self._db.prepare(page.limit(bindparam("most")).offset(bindparam("skipped")))

    def _matches(self) -> Subquery:
        """Ids by two ranges, each with its index: one condition with OR would scan by id instead."""
        c = self._users.c
        low, high = (bindparam(name, type_=c.email_key.type) for name in ("low", "high"))
        by_email = select(c.id).where(c.email_key >= low, c.email_key < high)
        by_name = select(c.id).where(c.full_name_key >= low, c.full_name_key < high)
        return by_email.union(by_name).subquery("found")
