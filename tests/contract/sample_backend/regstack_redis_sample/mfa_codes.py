"""Short one-time codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import to_milliseconds
from regstack.models.mfa_code import MfaOutcome, MfaVerifyResult
from regstack_redis_sample.repository import Repository
from regstack_redis_sample.rows import CODES

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack.models.mfa_code import MfaCode


class RedisMfaCodes(Repository):
    """Implements `regstack.backends.protocols.MfaCodeRepoProtocol`."""

    script_name = "mfa_codes"

    async def put(self, code: MfaCode) -> bool:
        return await self._did("put", _id(code.user_id, code.kind), *CODES.write_all(code))

    async def verify(self, user_id: str, kind: str, code_hash: str, now: datetime) -> MfaVerifyResult:
        answer = await self._change("verify", _id(user_id, kind), code_hash, to_milliseconds(now))
        outcome, remaining, *target = answer
        return MfaVerifyResult(MfaOutcome(outcome), remaining, target[0] if target else None)

    async def find(self, user_id: str, kind: str) -> MfaCode | None:
        key = self._key("code", _id(user_id, kind))
        code = CODES.read_optional(await self._server.read("HGETALL", key))
        return code if code is not None and code.expires_at > self._clock.now() else None

    async def delete(self, user_id: str, kind: str) -> bool:
        return await self._did("delete", _id(user_id, kind), self._now())

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return await self._purge(now, grace, batch)


def _id(user_id: str, kind: str) -> str:
    return f"{user_id}:{kind}"
