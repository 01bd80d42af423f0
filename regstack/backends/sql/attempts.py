"""Counted attempts."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Integer, bindparam, case, delete, or_, select

from regstack.backends.sql.repository import ExpiringRepository
from regstack.models.attempt import AttemptDecision
from regstack.models.instant import instant

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables


class SqlAttempts(ExpiringRepository):
    """Implements `regstack.backends.protocols.LoginAttemptRepoProtocol`."""

    table = "attempts"

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        table = tables.attempts
        this = table.c.key == bindparam("of_key")
        new = db.idiom.insert(table).values(
            key=bindparam("of_key"), window_start=bindparam("at"), count=1, expires_at=bindparam("expiry")
        )
        over = table.c.expires_at <= new.excluded.window_start
        self._count = db.prepare(
            new.on_conflict_do_update(
                index_elements=[table.c.key],
                set_={
                    "window_start": case((over, new.excluded.window_start), else_=table.c.window_start),
                    "count": case((over, 1), else_=table.c.count + 1),
                    "expires_at": case((over, new.excluded.expires_at), else_=table.c.expires_at),
                },
            ).returning(table.c.count, table.c.expires_at)
        )
        self._recent = db.prepare(
            select(table.c.count).where(
                this, table.c.expires_at > bindparam("at"), table.c.window_start > bindparam("since")
            )
        )
        most = bindparam("most", type_=Integer)
        self._clear = db.prepare(
            delete(table)
            .where(this, or_(most.is_(None), table.c.count <= most))
            .returning(table.c.expires_at)
        )

    async def claim(self, key: str, *, limit: int, window: timedelta, now: datetime) -> AttemptDecision:
        now = instant(now)
        count, expires_at = await self._counted(key, window, now)
        allowed = count <= limit
        return AttemptDecision(
            allowed=allowed,
            remaining=max(0, limit - count),
            retry_after=timedelta() if allowed else expires_at - now,
        )

    async def record_failure(self, key: str, *, window: timedelta, now: datetime) -> int:
        count, _ = await self._counted(key, window, instant(now))
        return count

    async def count_recent(self, key: str, window: timedelta, now: datetime) -> int:
        now = instant(now)
        row = await self._db.fetch_one(self._recent, of_key=key, at=now, since=now - window)
        return int(row[0]) if row is not None else 0

    async def clear(self, key: str, *, at_most: int | None = None) -> bool:
        row = await self._db.fetch_one(self._clear, of_key=key, most=at_most)
        return row is not None and row[0] > self._clock.now()

    async def _counted(self, key: str, window: timedelta, now: datetime) -> tuple[int, datetime]:
        row = await self._db.fetch_one(self._count, of_key=key, at=now, expiry=now + window)
        if row is None:
            raise TypeError("INSERT … RETURNING gave no row")
        return row[0], row[1]
