"""Counted attempts of the reference backend."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.attempt import AttemptDecision
from regstack.models.instant import instant
from regstack.testing.memory.store import AttemptWindow, drop_expired

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.testing.memory.store import MemoryStore


class MemoryAttempts:
    """Implements `regstack.backends.protocols.LoginAttemptRepoProtocol`."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def claim(self, key: str, *, limit: int, window: timedelta, now: datetime) -> AttemptDecision:
        now = instant(now)
        row = self._count(key, window, now)
        allowed = row.count <= limit
        return AttemptDecision(
            allowed=allowed,
            remaining=max(0, limit - row.count),
            retry_after=timedelta() if allowed else row.expires_at - now,
        )

    async def record_failure(self, key: str, *, window: timedelta, now: datetime) -> int:
        return self._count(key, window, instant(now)).count

    async def count_recent(self, key: str, window: timedelta, now: datetime) -> int:
        now = instant(now)
        row = self._store.attempts.get(key)
        if row is None or row.expires_at <= now or row.opened_at + window <= now:
            return 0
        return row.count

    async def clear(self, key: str, *, at_most: int | None = None) -> bool:
        row = self._store.attempts.get(key)
        if row is None or (at_most is not None and row.count > at_most):
            return False
        del self._store.attempts[key]
        return row.expires_at > self._clock.now()

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return drop_expired(self._store.attempts, lambda row: row.expires_at, now, grace, batch)

    def _count(self, key: str, window: timedelta, now: datetime) -> AttemptWindow:
        row = self._store.attempts.get(key)
        if row is None or row.expires_at <= now:
            row = AttemptWindow(opened_at=now, expires_at=instant(now + window), count=0)
        row = AttemptWindow(row.opened_at, row.expires_at, row.count + 1)
        self._store.attempts[key] = row
        return row
