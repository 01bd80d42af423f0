"""Registrations that wait for confirmation.

A row that `create_from_pending` has claimed is as good as used up: nothing but a newer registration
may touch it, and nobody sees it (`regstack_mongo.user_creation`).
"""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regstack.models.instant import instant
from regstack.models.pending import PendingRegistration
from regstack_mongo.repository import ExpiringRepository, upserted

if TYPE_CHECKING:
    from datetime import datetime

    from regstack_mongo.connection import Connection
    from regstack_mongo.repository import Raw


class MongoPending(ExpiringRepository):
    """Implements `regstack.backends.protocols.PendingRepoProtocol`."""

    collection = "pending"

    async def put(self, pending: PendingRegistration) -> None:
        row = {
            "token_hash": pending.token_hash,
            "user_id": pending.user_id,
            "email": pending.email,
            "hashed_password": pending.hashed_password,
            "full_name": pending.full_name,
            "created_at": instant(pending.created_at),
            "expires_at": instant(pending.expires_at),
            "for_account": pending.for_account,
        }
        this = {"_id": pending.email_key}

        async def put(connection: Connection) -> None:
            await upserted(lambda: connection.pending.replace_one(this, row, upsert=True))

        await self._db.write(put)

    async def rotate(
        self, old_token_hash: str, *, token_hash: str, expires_at: datetime, now: datetime
    ) -> bool:
        update = {"$set": {"token_hash": token_hash, "expires_at": instant(expires_at)}}
        query = usable(instant(now), token_hash=old_token_hash)
        result = await self._db.write(lambda connection: connection.pending.update_one(query, update))
        return result.matched_count > 0

    async def find_by_email(self, email_key: str) -> PendingRegistration | None:
        return await self._found(usable(self._clock.now(), _id=email_key))

    async def find_by_token_hash(self, token_hash: str) -> PendingRegistration | None:
        return await self._found(usable(self._clock.now(), token_hash=token_hash))

    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        query = usable(instant(now), token_hash=token_hash)
        row = await self._db.write(lambda connection: connection.pending.find_one_and_delete(query))
        return pending_of(row) if row is not None else None

    async def delete_by_email(self, email_key: str) -> bool:
        row = await self._db.write(
            lambda connection: connection.pending.find_one_and_delete({"_id": email_key})
        )
        return row is not None and "claimed" not in row and row["expires_at"] > self._clock.now()

    async def count_unexpired(self) -> int:
        query = usable(self._clock.now())
        return await self._db.read(lambda connection: connection.pending.count_documents(query))

    async def _found(self, query: dict[str, Any]) -> PendingRegistration | None:
        row = await self._db.read(lambda connection: connection.pending.find_one(query))
        return pending_of(row) if row is not None else None


def usable(now: datetime, **fields: str) -> dict[str, Any]:
    """Give the query for registrations that can still be confirmed."""
    return {**fields, "expires_at": {"$gt": now}, "claimed": {"$exists": False}}


def pending_of(raw: Raw) -> PendingRegistration:
    """Make the domain value of a raw document."""
    return PendingRegistration(
        token_hash=raw["token_hash"],
        user_id=raw["user_id"],
        email=raw["email"],
        email_key=raw["_id"],
        hashed_password=raw["hashed_password"],
        full_name=raw["full_name"],
        created_at=raw["created_at"],
        expires_at=raw["expires_at"],
        for_account=raw["for_account"],
    )
