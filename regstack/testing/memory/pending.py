"""Pending registrations of the reference backend."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import instant
from regstack.testing.memory.store import drop_expired

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack.auth.clock import Clock
    from regstack.models.pending import PendingRegistration
    from regstack.testing.memory.store import MemoryStore


class MemoryPending:
    """Implements `regstack.backends.protocols.PendingRepoProtocol`."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, pending: PendingRegistration) -> None:
        self._store.pending[pending.email_key] = replace(
            pending, created_at=instant(pending.created_at), expires_at=instant(pending.expires_at)
        )

    async def rotate(
        self, old_token_hash: str, *, token_hash: str, expires_at: datetime, now: datetime
    ) -> bool:
        expires_at = instant(expires_at)
        row = self._unexpired(old_token_hash, instant(now))
        if row is None:
            return False
        self._store.pending[row.email_key] = replace(row, token_hash=token_hash, expires_at=expires_at)
        return True

    async def find_by_email(self, email_key: str) -> PendingRegistration | None:
        row = self._store.pending.get(email_key)
        return replace(row) if row is not None and row.expires_at > self._clock.now() else None

    async def find_by_token_hash(self, token_hash: str) -> PendingRegistration | None:
        row = self._unexpired(token_hash, self._clock.now())
        return replace(row) if row is not None else None

    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        row = self._unexpired(token_hash, instant(now))
        return self._store.pending.pop(row.email_key) if row is not None else None

    async def delete_by_email(self, email_key: str) -> bool:
        row = self._store.pending.pop(email_key, None)
        return row is not None and row.expires_at > self._clock.now()

    async def count_unexpired(self) -> int:
        now = self._clock.now()
        return sum(row.expires_at > now for row in self._store.pending.values())

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return drop_expired(self._store.pending, lambda row: row.expires_at, now, grace, batch)

    def _unexpired(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        for row in self._store.pending.values():
            if row.token_hash == token_hash and row.expires_at > now:
                return row
        return None
