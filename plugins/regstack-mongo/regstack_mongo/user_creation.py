"""Making accounts.

`create_from_pending` touches two documents without a transaction, in steps of which each may be the
last before a crash, and may race with itself:

1. Claim the row: from then on it cannot be consumed, rotated or seen, and a repeat of this
   operation with the same token can go on from here. A newer registration replaces it, claim and
   all, and makes the token dead; in that case this confirmation counts as the earlier one.
2. Make the account, or verify the one that is there. In the same statement it gets a receipt
   (`confirmed_by`, the token's hash). One of many who are here does that.
3. Delete the row, if it still has the token.
4. Take the receipt off the account. Who does that has won. Where there was no receipt, because the
   account had been verified by other means before, who deleted the row in step 3 has won.

A crash after 1 or 2 leaves the row, so a repeat comes to the same end. A crash after 3 leaves a
receipt for a token that is dead, which means nothing any more. Step 3 goes before 4, so that who
sees an account without a receipt cannot delete the row as well.

Not covered: of two confirmations by the same token at once, one is delayed between 1 and 2 for so
long that the other finishes and the new account is deleted; then it comes back, and an access token
from before is good again until it expires.
"""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from regstack.errors import UserAlreadyExistsError
from regstack.models.instant import instant
from regstack.models.user import User
from regstack_mongo.errors import UniqueViolation, redacted
from regstack_mongo.user_documents import PROJECTION, UserDocuments, document_of, end_of_sessions, user_of

if TYPE_CHECKING:
    from datetime import datetime

    from regstack_mongo.connection import Connection
    from regstack_mongo.repository import Raw

_NOTHING = {"$unset": {"nothing": ""}}
"""An update without effect: it finds what was written last, and waits until a majority has it."""


class UserCreation(UserDocuments):
    """The part of `UserRepoProtocol` by which accounts come to be."""

    async def create(self, user: User) -> User:
        new = document_of(user)
        try:
            return user_of(await self._db.write(lambda connection: inserted(connection, new)))
        except UniqueViolation as violation:
            cause = violation.__cause__
        raise UserAlreadyExistsError from cause

    async def create_from_pending(self, token_hash: str, now: datetime) -> User | None:
        now = instant(now)
        return await self._db.write(
            lambda connection: self._confirmed(connection, token_hash, now), several=True
        )

    async def _confirmed(self, connection: Connection, token_hash: str, now: datetime) -> User | None:
        row = await connection.pending.find_one_and_update(
            {"token_hash": token_hash, "expires_at": {"$gt": now}}, {"$set": {"claimed": True}}
        )
        if row is None:
            return None
        account, refusal = await self._settled(connection, row, now)
        used = await connection.pending.delete_one({"_id": row["_id"], "token_hash": token_hash})
        won = used.deleted_count > 0
        if account is not None and account.get("confirmed_by") == token_hash:
            receipt = await connection.users.update_one(
                {"_id": account["_id"], "confirmed_by": token_hash}, {"$unset": {"confirmed_by": ""}}
            )
            won = receipt.matched_count > 0
        if won and refusal is not None:
            raise UserAlreadyExistsError from refusal
        return user_of(account) if won and account is not None else None

    async def _settled(
        self, connection: Connection, row: Raw, now: datetime
    ) -> tuple[Raw | None, BaseException | None]:
        """Make or verify the row's account; give it, or why it cannot be (neither: it is gone)."""
        existing = await self._verified(connection, row, now)
        if existing is not None or row["for_account"]:
            return existing, None
        user = User.new(
            id=row["user_id"],
            email=row["email"],
            email_key=row["_id"],
            hashed_password=row["hashed_password"],
            full_name=row["full_name"],
            now=now,
            is_verified=True,
        )
        new = document_of(user) | {"confirmed_by": row["token_hash"]}
        try:
            await connection.users.insert_one(new)
        except DuplicateKeyError as error:
            refusal = redacted(error)
        else:
            return new, None
        existing = await self._verified(connection, row, now)
        return existing, None if existing is not None else refusal

    async def _verified(self, connection: Connection, row: Raw, now: datetime) -> Raw | None:
        this = {"_id": row["user_id"], "email_key": row["_id"]}
        update = end_of_sessions(now, is_verified=True, confirmed_by=row["token_hash"])
        projection = {**PROJECTION, "confirmed_by": 1}
        verified: Raw | None = await connection.users.find_one_and_update(
            {**this, "is_verified": False},
            update,
            projection=projection,
            return_document=ReturnDocument.AFTER,
        )
        if verified is not None:
            return verified
        found: Raw | None = await connection.users.find_one_and_update(this, _NOTHING, projection=projection)
        return found


async def inserted(connection: Connection, new: Raw) -> Raw:
    """Insert an account's document; a repeat gives what is stored under its id.

    Raises:
        DuplicateKeyError: something else of it is taken.
    """
    try:
        await connection.users.insert_one(new)
    except DuplicateKeyError:
        stored: Raw | None = await connection.users.find_one_and_update(
            {"_id": new["_id"]}, _NOTHING, projection=PROJECTION
        )
        if stored is None:
            raise
        return stored
    return new
