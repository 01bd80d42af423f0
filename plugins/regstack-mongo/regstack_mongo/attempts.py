"""Counted attempts."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pymongo import ReturnDocument

from regstack.models.attempt import AttemptDecision
from regstack.models.instant import instant
from regstack_mongo.repository import ExpiringRepository, upserted

if TYPE_CHECKING:
    from datetime import datetime

    from regstack_mongo.connection import Connection
    from regstack_mongo.repository import Raw


class MongoAttempts(ExpiringRepository):
    """Implements `regstack.backends.protocols.LoginAttemptRepoProtocol`."""

    collection = "attempts"

    async def claim(self, key: str, *, limit: int, window: timedelta, now: datetime) -> AttemptDecision:
        now = instant(now)
        row = await self._counted(key, window, now)
        count: int = row["count"]
        allowed = count <= limit
        return AttemptDecision(
            allowed=allowed,
            remaining=max(0, limit - count),
            retry_after=timedelta() if allowed else row["expires_at"] - now,
        )

    async def record_failure(self, key: str, *, window: timedelta, now: datetime) -> int:
        row = await self._counted(key, window, instant(now))
        count: int = row["count"]
        return count

    async def count_recent(self, key: str, window: timedelta, now: datetime) -> int:
        now = instant(now)
        query = {"_id": key, "expires_at": {"$gt": now}, "window_start": {"$gt": now - window}}
        row = await self._db.read(lambda connection: connection.attempts.find_one(query))
        return row["count"] if row is not None else 0

    async def clear(self, key: str, *, at_most: int | None = None) -> bool:
        query: dict[str, Any] = {"_id": key} | ({} if at_most is None else {"count": {"$lte": at_most}})
        row = await self._db.write(lambda connection: connection.attempts.find_one_and_delete(query))
        return row is not None and row["expires_at"] > self._clock.now()

    async def _counted(self, key: str, window: timedelta, now: datetime) -> Raw:
        # A missing field sorts below every date, so a row that is just being made is over, too.
        over = {"$lte": ["$expires_at", now]}
        counted = {
            "window_start": {"$cond": [over, now, "$window_start"]},
            "count": {"$cond": [over, 1, {"$add": ["$count", 1]}]},
            "expires_at": {"$cond": [over, instant(now + window), "$expires_at"]},
        }

        async def count(connection: Connection) -> Raw:
            row = await upserted(
                lambda: connection.attempts.find_one_and_update(
                    {"_id": key}, [{"$set": counted}], upsert=True, return_document=ReturnDocument.AFTER
                )
            )
            if row is None:
                raise TypeError("an upsert gave no document")
            return row

        return await self._db.write(count)
