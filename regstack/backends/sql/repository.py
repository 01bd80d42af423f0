"""What the repositories of one backend instance share."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam

from regstack.backends.batches import in_batches
from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import instant

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import BindParameter, Column, Table

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables


class Repository:
    """Holds the executor, the tables and the clock; subclasses prepare their statements.

    Parameters of statements are named unlike columns, as SQLAlchemy asks for in UPDATE.
    """

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
        self._purge = db.prepare(db.idiom.delete_expired(getattr(tables, self.table)))

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        """Delete rows with `expires_at <= now - grace`, in batches, and say how many (COM-07)."""
        until = instant(now) - grace

        async def purge() -> int | None:
            return await self._db.execute(self._purge, until=until, batch=batch) or None

        return await in_batches(purge)


def columns_of(table: Table, value_type: type[Any]) -> list[Column[Any]]:
    """Give the columns of a domain value, in the order of its fields."""
    return [table.c[field.name] for field in fields(value_type)]


def new_values(value_type: type[Any]) -> dict[str, BindParameter[Any]]:
    """Give the parameters that an INSERT of a domain value takes."""
    return {field.name: bindparam(f"new_{field.name}") for field in fields(value_type)}


def given_values(value: Any) -> dict[str, Any]:
    """Give a domain value as the parameters of `new_values`."""
    return {f"new_{field.name}": getattr(value, field.name) for field in fields(value)}
