"""One-time codes of the reference backend."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from dataclasses import replace
from hmac import compare_digest
from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import instant
from regstack.models.mfa_code import MfaOutcome, MfaVerifyResult
from regstack.testing.memory.store import drop_expired

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack.auth.clock import Clock
    from regstack.models.mfa_code import MfaCode
    from regstack.testing.memory.store import MemoryStore


class MemoryMfaCodes:
    """Implements `regstack.backends.protocols.MfaCodeRepoProtocol`."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, code: MfaCode) -> bool:
        code = replace(code, created_at=instant(code.created_at), expires_at=instant(code.expires_at))
        if code.user_id not in self._store.users:
            return False
        self._store.mfa_codes[code.user_id, code.kind] = code
        return True

    async def verify(self, user_id: str, kind: str, code_hash: str, now: datetime) -> MfaVerifyResult:
        now = instant(now)
        code = self._store.mfa_codes.get((user_id, kind))
        if code is None:
            return MfaVerifyResult(MfaOutcome.MISSING)
        if code.expires_at <= now:
            return MfaVerifyResult(MfaOutcome.EXPIRED)
        if code.attempts >= code.max_attempts:
            return MfaVerifyResult(MfaOutcome.LOCKED)
        paid = self._store.mfa_codes[user_id, kind] = replace(code, attempts=code.attempts + 1)
        if not compare_digest(code.code_hash, code_hash):
            return MfaVerifyResult(MfaOutcome.WRONG, attempts_remaining=paid.max_attempts - paid.attempts)
        del self._store.mfa_codes[user_id, kind]
        return MfaVerifyResult(MfaOutcome.OK, target=code.target)

    async def find(self, user_id: str, kind: str) -> MfaCode | None:
        code = self._store.mfa_codes.get((user_id, kind))
        return replace(code) if code is not None and code.expires_at > self._clock.now() else None

    async def delete(self, user_id: str, kind: str) -> bool:
        code = self._store.mfa_codes.pop((user_id, kind), None)
        return code is not None and code.expires_at > self._clock.now()

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return drop_expired(self._store.mfa_codes, lambda row: row.expires_at, now, grace, batch)
