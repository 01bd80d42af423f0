"""Counted attempts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.attempt import AttemptDecision
from regstack.models.instant import to_milliseconds
from regstack_redis_sample.repository import Repository

if TYPE_CHECKING:
    from datetime import datetime


class RedisAttempts(Repository):
    """Implements `regstack.backends.protocols.LoginAttemptRepoProtocol`."""

    script_name = "attempts"

    async def claim(self, key: str, *, limit: int, window: timedelta, now: datetime) -> AttemptDecision:
        count, expires_at = await self._count(key, window, now)
        allowed = count <= limit
        return AttemptDecision(
            allowed=allowed,
            remaining=max(0, limit - count),
            retry_after=timedelta(milliseconds=0 if allowed else expires_at - to_milliseconds(now)),
        )

    async def record_failure(self, key: str, *, window: timedelta, now: datetime) -> int:
        return (await self._count(key, window, now))[0]

    async def count_recent(self, key: str, window: timedelta, now: datetime) -> int:
        at, opened_before = to_milliseconds(now), to_milliseconds(now - window)
        opened_at, expires_at, count = await self._server.read(
            "HMGET", self._key("attempt", key), "opened_at", "expires_at", "count"
        )
        if count is None or int(expires_at) <= at or int(opened_at) <= opened_before:
            return 0
        return int(count)

    async def clear(self, key: str, *, at_most: int | None = None) -> bool:
        return await self._did("clear", key, self._now(), "" if at_most is None else at_most)

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return await self._purge(now, grace, batch)

    async def _count(self, key: str, window: timedelta, now: datetime) -> tuple[int, int]:
        count, expires_at = await self._change(
            "count", key, to_milliseconds(now), to_milliseconds(now + window)
        )
        return int(count), int(expires_at)
