"""What the repositories of one backend instance share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select

from regstack.backends.base import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import instant

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import Table

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables


class Repository:
    """Holds the executor, the tables and the clock; subclasses prepare their statements."""

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        self._db = db
        self._tables = tables
        self._clock = clock


class ExpiringRepository(Repository):
    """A repository over one table whose rows expire.

    Attributes:
        table: name of the table, an attribute of `Tables`.
    """

    table: str

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        table: Table = getattr(tables, self.table)
        key = table.primary_key.columns
        oldest = (
            select(*key).where(table.c.expires_at <= bindparam("until")).limit(bindparam("batch"))
        )
        if len(key) > 1:
            raise TypeError("a table of expiring rows has a key of one column")
        self._purge = db.prepare(
            delete(table).where(next(iter(key)).in_(oldest), table.c.expires_at <= bindparam("until"))
        )

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        """Delete rows with `expires_at <= now - grace`, in batches, and say how many (COM-07)."""
        until = instant(now) - grace
        total = 0
        while deleted := await self._db.execute(self._purge, until=until, batch=batch):
            total += deleted
            if deleted < batch:
                break
        return total
