"""Revoked tokens of the reference backend."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import instant
from regstack.testing.memory.store import drop_expired

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack.auth.clock import Clock
    from regstack.testing.memory.store import MemoryStore


class MemoryBlacklist:
    """Implements `regstack.backends.protocols.BlacklistRepoProtocol`."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def revoke(self, jti: str, exp: datetime) -> bool:
        exp = instant(exp)
        if jti in self._store.revocations:
            return False
        self._store.revocations[jti] = exp
        return True

    async def is_revoked(self, jti: str) -> bool:
        exp = self._store.revocations.get(jti)
        return exp is not None and exp > self._clock.now()

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return drop_expired(self._store.revocations, lambda exp: exp, now, grace, batch)
