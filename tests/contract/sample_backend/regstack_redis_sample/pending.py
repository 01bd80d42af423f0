"""Registrations that wait for confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import to_milliseconds
from regstack_redis_sample.repository import Repository
from regstack_redis_sample.rows import PENDING, folded

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack.models.pending import PendingRegistration


class RedisPending(Repository):
    """Implements `regstack.backends.protocols.PendingRepoProtocol`."""

    script_name = "pending"

    async def put(self, pending: PendingRegistration) -> None:
        fields = [*PENDING.write_all(pending), *folded(pending.full_name)]
        await self._change("put", pending.email_key, *fields)

    async def rotate(
        self, old_token_hash: str, *, token_hash: str, expires_at: datetime, now: datetime
    ) -> bool:
        moments = to_milliseconds(expires_at), to_milliseconds(now)
        return await self._did("rotate", old_token_hash, token_hash, *moments)

    async def find_by_email(self, email_key: str) -> PendingRegistration | None:
        row = PENDING.read_optional(await self._server.read("HGETALL", self._key("pending", email_key)))
        return row if row is not None and row.expires_at > self._clock.now() else None

    async def find_by_token_hash(self, token_hash: str) -> PendingRegistration | None:
        return PENDING.read_optional(await self._read("find_by_token_hash", token_hash, self._now()))

    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        return PENDING.read_optional(await self._change("consume", token_hash, to_milliseconds(now)))

    async def delete_by_email(self, email_key: str) -> bool:
        return await self._did("delete_by_email", email_key, self._now())

    async def count_unexpired(self) -> int:
        return int(
            await self._server.read("ZCOUNT", self._key("expiring", "pending"), f"({self._now()}", "+inf")
        )

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return await self._purge(now, grace, batch)
