"""Passwords, sessions and mailed tokens of users."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.errors import UserAlreadyExistsError
from regstack.models.instant import instant
from regstack_mongo.errors import UniqueViolation
from regstack_mongo.user_documents import UserDocuments, change, end_of_sessions, this_user

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.models.email_address import EmailAddress
    from regstack.models.user import User


class UserCredentials(UserDocuments):
    """The part of `UserRepoProtocol` that decides who gets in."""

    async def rehash_password(self, user_id: str, *, old_hash: str, new_hash: str) -> bool:
        return await self._updated(
            {"_id": user_id, "hashed_password": old_hash}, {"$set": {"hashed_password": new_hash}}
        )

    async def set_password(
        self, user_id: str, hashed: str | None, *, token_version: int | None = None
    ) -> User | None:
        update = end_of_sessions(self._clock.now(), hashed_password=hashed)
        return await self._changed(this_user(user_id, token_version), update)

    async def invalidate_tokens(self, user_id: str) -> User | None:
        return await self._changed({"_id": user_id}, end_of_sessions(self._clock.now()))

    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        update = end_of_sessions(
            self._clock.now(),
            hashed_password=None,
            phone_number=None,
            is_mfa_enabled=False,
            is_verified=True,
        )
        update["$unset"] |= {"identities": "", "codes": ""}
        return await self._changed(this_user(user_id, token_version) | {"is_verified": False}, update)

    async def put_reset_token(
        self, user_id: str, token_hash: str, expires_at: datetime, *, token_version: int | None = None
    ) -> bool:
        reset = {"token_hash": token_hash, "expires_at": instant(expires_at)}
        return await self._updated(
            this_user(user_id, token_version) | {"is_active": True}, change(self._clock.now(), reset=reset)
        )

    async def reset_password(self, token_hash: str, hashed: str, now: datetime) -> User | None:
        now = instant(now)
        return await self._changed(
            {"reset.token_hash": token_hash, "reset.expires_at": {"$gt": now}, "is_active": True},
            end_of_sessions(now, hashed_password=hashed),
        )

    async def put_email_change(
        self,
        user_id: str,
        token_hash: str,
        new_email: EmailAddress,
        expires_at: datetime,
        *,
        token_version: int | None = None,
    ) -> bool:
        email_change = {
            "token_hash": token_hash,
            "expires_at": instant(expires_at),
            "email": new_email.address,
            "email_key": new_email.key,
        }
        return await self._updated(
            this_user(user_id, token_version) | {"is_active": True},
            change(self._clock.now(), email_change=email_change),
        )

    async def confirm_email_change(self, token_hash: str, now: datetime) -> User | None:
        now = instant(now)
        query = {
            "email_change.token_hash": token_hash,
            "email_change.expires_at": {"$gt": now},
            "is_active": True,
        }
        values = {
            "email": "$email_change.email",
            "email_key": "$email_change.email_key",
            "is_verified": True,
            "token_version": {"$add": ["$token_version", 1]},
            "updated_at": now,
            "tokens_invalidated_after": now,
        }
        try:
            return await self._changed(query, [{"$set": values}, {"$unset": ["reset", "email_change"]}])
        except UniqueViolation as violation:
            cause = violation.__cause__
        raise UserAlreadyExistsError from cause
