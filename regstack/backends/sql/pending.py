"""Registrations that wait for confirmation."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, update

from regstack.backends.sql.repository import ExpiringRepository, columns_of, given_values, new_values
from regstack.models.instant import instant
from regstack.models.pending import PendingRegistration

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.statement import Statement
    from regstack.backends.sql.tables import Tables


class SqlPending(ExpiringRepository):
    """Implements `regstack.backends.protocols.PendingRepoProtocol`."""

    table = "pending"

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        table = tables.pending
        columns = columns_of(table, PendingRegistration)
        unexpired = table.c.expires_at > bindparam("at")
        of_token = table.c.token_hash == bindparam("token")
        of_address = table.c.email_key == bindparam("address_key")
        new = db.idiom.insert(table).values(new_values(PendingRegistration))
        replaced = {column.name: new.excluded[column.name] for column in columns}
        self._put = db.prepare(new.on_conflict_do_update(index_elements=[table.c.email_key], set_=replaced))
        self._rotate = db.prepare(
            update(table)
            .where(of_token, unexpired)
            .values(token_hash=bindparam("new_token"), expires_at=bindparam("expiry"))
        )
        self._by_email = db.prepare(select(*columns).where(of_address, unexpired))
        self._by_token = db.prepare(select(*columns).where(of_token, unexpired))
        self._consume = db.prepare(delete(table).where(of_token, unexpired).returning(*columns))
        self._delete = db.prepare(delete(table).where(of_address).returning(table.c.expires_at))
        self._count = db.prepare(select(func.count()).select_from(table).where(unexpired))

    async def put(self, pending: PendingRegistration) -> None:
        await self._db.execute(self._put, **given_values(pending))

    async def rotate(
        self, old_token_hash: str, *, token_hash: str, expires_at: datetime, now: datetime
    ) -> bool:
        changed = await self._db.execute(
            self._rotate, token=old_token_hash, new_token=token_hash, expiry=expires_at, at=instant(now)
        )
        return changed > 0

    async def find_by_email(self, email_key: str) -> PendingRegistration | None:
        return await self._one(self._by_email, address_key=email_key, at=self._clock.now())

    async def find_by_token_hash(self, token_hash: str) -> PendingRegistration | None:
        return await self._one(self._by_token, token=token_hash, at=self._clock.now())

    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        return await self._one(self._consume, token=token_hash, at=instant(now))

    async def delete_by_email(self, email_key: str) -> bool:
        row = await self._db.fetch_one(self._delete, address_key=email_key)
        return row is not None and row[0] > self._clock.now()

    async def count_unexpired(self) -> int:
        row = await self._db.fetch_one(self._count, at=self._clock.now())
        return int(row[0]) if row is not None else 0

    async def _one(self, statement: Statement, **parameters: Any) -> PendingRegistration | None:
        row = await self._db.fetch_one(statement, **parameters)
        return PendingRegistration(*row) if row is not None else None
