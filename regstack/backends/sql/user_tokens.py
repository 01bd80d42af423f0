"""Whom access tokens speak for."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, exists, select

from regstack.backends.coalescing import Coalesced
from regstack.backends.sql.user_rows import UserRows
from regstack.models.user import TokenSubject, User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.sql import ColumnElement

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables

    _Key = tuple[str, str]
    """A user's id and a token's."""


class UserTokens(UserRows):
    """The part of `UserRepoProtocol` that every authenticated request costs.

    Requests that ask in the same turn of the event loop are answered by one statement.
    """

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        keys = db.idiom.keys(user=self._users.c.id, jti=tables.blacklist.c.jti)
        one = select(*self._columns, self._revoked(bindparam("jti"))).where(
            self._users.c.id == bindparam("user")
        )
        several = select(*self._columns, self._revoked(keys.c.jti), keys.c["at"]).join_from(
            keys, self._users, self._users.c.id == keys.c.user
        )
        self._token_subject = db.prepare(one)
        self._token_subjects = db.prepare(several)
        self._find_token_subject = Coalesced(self._read_one, self._read_several)

    def _revoked(self, jti: ColumnElement[str]) -> ColumnElement[bool]:
        revocations = self._tables.blacklist.c
        return exists().where(revocations.jti == jti, revocations.expires_at > bindparam("now"))

    async def get_token_subject(
        self,
        user_id: str,
        *,
        jti: str,
        sid: str | None = None,  # noqa: ARG002 - reserved by the contract
    ) -> TokenSubject | None:
        return await self._find_token_subject((user_id, jti))

    async def _read_one(self, key: _Key) -> TokenSubject | None:
        user, jti = key
        row = await self._db.fetch_one(self._token_subject, user=user, jti=jti, now=self._clock.now())
        return None if row is None else TokenSubject(User(*row[:-1]), bool(row[-1]))

    async def _read_several(self, keys: Sequence[_Key]) -> list[TokenSubject | None]:
        users, jtis = [user for user, _ in keys], [jti for _, jti in keys]
        rows = await self._db.fetch_all(self._token_subjects, user=users, jti=jtis, now=self._clock.now())
        subjects: list[TokenSubject | None] = [None] * len(keys)
        for *user, revoked, at in rows:
            subjects[at] = TokenSubject(User(*user), bool(revoked))
        return subjects
