"""Short one-time codes, in their users' documents."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import ReturnDocument
from pymongo.read_concern import ReadConcern

from regstack.backends.batches import in_batches
from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import instant
from regstack.models.mfa_code import MfaCode, MfaOutcome, MfaVerifyResult
from regstack_mongo.repository import Repository

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack_mongo.connection import Connection
    from regstack_mongo.repository import Raw

_CODES = {"$ifNull": ["$codes", []]}


class MongoMfaCodes(Repository):
    """Implements `regstack.backends.protocols.MfaCodeRepoProtocol`."""

    async def put(self, code: MfaCode) -> bool:
        new = {
            "kind": code.kind,
            "code_hash": code.code_hash,
            "target": code.target,
            "max_attempts": code.max_attempts,
            "attempts": code.attempts,
            "created_at": instant(code.created_at),
            "expires_at": instant(code.expires_at),
        }
        others = {"$filter": {"input": _CODES, "cond": {"$ne": ["$$this.kind", {"$literal": code.kind}]}}}
        replaced = [{"$set": {"codes": {"$concatArrays": [others, {"$literal": [new]}]}}}]
        result = await self._db.write(
            lambda connection: connection.users.update_one({"_id": code.user_id}, replaced)
        )
        return result.matched_count > 0

    async def verify(self, user_id: str, kind: str, code_hash: str, now: datetime) -> MfaVerifyResult:
        """Change the code by what it was, and tell the outcome from the image before."""
        now = instant(now)
        compared = {
            "$and": [
                {"$eq": ["$$this.kind", {"$literal": kind}]},
                {"$gt": ["$$this.expires_at", now]},
                {"$lt": ["$$this.attempts", "$$this.max_attempts"]},
            ]
        }
        right = {"$eq": ["$$this.code_hash", {"$literal": code_hash}]}
        left = {"$filter": {"input": "$codes", "cond": {"$not": [{"$and": [compared, right]}]}}}
        paid = {"$mergeObjects": ["$$this", {"attempts": {"$add": ["$$this.attempts", 1]}}]}
        each = {"$cond": [compared, paid, "$$this"]}
        update = [{"$set": {"codes": {"$map": {"input": left, "in": each}}}}]
        row = await self._db.write(
            lambda connection: connection.users.find_one_and_update(
                {"_id": user_id, "codes.kind": kind},
                update,
                projection=_only(kind),
                return_document=ReturnDocument.BEFORE,
            )
        )
        if row is None:
            return MfaVerifyResult(MfaOutcome.MISSING)
        (code,) = row["codes"]
        if code["expires_at"] <= now:
            return MfaVerifyResult(MfaOutcome.EXPIRED)
        if code["attempts"] >= code["max_attempts"]:
            return MfaVerifyResult(MfaOutcome.LOCKED)
        if code["code_hash"] == code_hash:
            return MfaVerifyResult(MfaOutcome.OK, target=code["target"])
        return MfaVerifyResult(
            MfaOutcome.WRONG, attempts_remaining=code["max_attempts"] - code["attempts"] - 1
        )

    async def find(self, user_id: str, kind: str) -> MfaCode | None:
        row = await self._db.read(
            lambda connection: connection.users.find_one({"_id": user_id, "codes.kind": kind}, _only(kind))
        )
        if row is None:
            return None
        (code,) = row["codes"]
        return MfaCode(user_id=user_id, **code) if code["expires_at"] > self._clock.now() else None

    async def delete(self, user_id: str, kind: str) -> bool:
        row = await self._db.write(
            lambda connection: connection.users.find_one_and_update(
                {"_id": user_id, "codes.kind": kind},
                {"$pull": {"codes": {"kind": kind}}},
                projection=_only(kind),
                return_document=ReturnDocument.BEFORE,
            )
        )
        return row is not None and row["codes"][0]["expires_at"] > self._clock.now()

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        """Delete expired codes in batches, and say how many (COM-07).

        One statement takes one code of each user chosen, so that the documents it changed count
        the codes.
        """
        until = instant(now) - grace
        chosen = {"codes.expires_at": {"$lte": until}}
        expired = {"$filter": {"input": "$codes", "cond": {"$lte": ["$$this.expires_at", until]}}}
        kind = {"$first": {"$map": {"input": expired, "in": "$$this.kind"}}}
        others = {"$filter": {"input": "$codes", "cond": {"$ne": ["$$this.kind", kind]}}}

        async def purge(connection: Connection) -> int | None:
            choosing = connection.users.with_options(read_concern=ReadConcern("local"))
            rows: list[Raw] = await choosing.find(chosen, {"_id": 1}).limit(batch).to_list()
            changed = await connection.users.update_many(
                {"_id": {"$in": [row["_id"] for row in rows]}, **chosen}, [{"$set": {"codes": others}}]
            )
            return changed.modified_count if rows else None

        return await in_batches(lambda: self._db.write(purge, several=True))


def _only(kind: str) -> dict[str, Any]:
    return {"codes": {"$elemMatch": {"kind": kind}}, "_id": 0}
