"""Revoked access tokens."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from regstack.backends.sql.repository import ExpiringRepository

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables


class SqlBlacklist(ExpiringRepository):
    """Implements `regstack.backends.protocols.BlacklistRepoProtocol`."""

    table = "blacklist"

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        table = tables.blacklist
        self._revoke = db.prepare(
            db.idiom.insert(table)
            .values(jti=bindparam("new_jti"), expires_at=bindparam("expiry"))
            .on_conflict_do_nothing(index_elements=[table.c.jti])
        )
        self._find = db.prepare(
            select(table.c.jti).where(table.c.jti == bindparam("token"), table.c.expires_at > bindparam("at"))
        )

    async def revoke(self, jti: str, exp: datetime) -> bool:
        return await self._db.execute(self._revoke, new_jti=jti, expiry=exp) > 0

    async def is_revoked(self, jti: str) -> bool:
        return await self._db.fetch_one(self._find, token=jti, at=self._clock.now()) is not None
