"""Revoked tokens."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.models.instant import instant
from regstack_mongo.errors import UniqueViolation
from regstack_mongo.repository import ExpiringRepository

if TYPE_CHECKING:
    from datetime import datetime


class MongoBlacklist(ExpiringRepository):
    """Implements `regstack.backends.protocols.BlacklistRepoProtocol`."""

    collection = "blacklist"

    async def revoke(self, jti: str, exp: datetime) -> bool:
        row = {"_id": jti, "expires_at": instant(exp)}
        try:
            await self._db.write(lambda connection: connection.blacklist.insert_one(row))
        except UniqueViolation:
            return False
        return True

    async def is_revoked(self, jti: str) -> bool:
        query = {"_id": jti, "expires_at": {"$gt": self._clock.now()}}
        return await self._db.read(lambda connection: connection.blacklist.find_one(query)) is not None
