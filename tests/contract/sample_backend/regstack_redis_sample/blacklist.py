"""Revoked access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import to_milliseconds
from regstack_redis_sample.repository import Repository

if TYPE_CHECKING:
    from datetime import datetime, timedelta


class RedisBlacklist(Repository):
    """Implements `regstack.backends.protocols.BlacklistRepoProtocol`."""

    script_name = "blacklist"

    async def revoke(self, jti: str, exp: datetime) -> bool:
        key = self._key("revoked")
        return bool(await self._server.write("ZADD", key, "NX", to_milliseconds(exp), jti))

    async def is_revoked(self, jti: str) -> bool:
        exp = await self._server.read("ZSCORE", self._key("revoked"), jti)
        return exp is not None and float(exp) > self._now()

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return await self._purge(now, grace, batch)
