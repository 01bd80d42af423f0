"""Users as raw documents."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pymongo import ReturnDocument

from regstack.models.instant import instant
from regstack.models.text import search_key
from regstack.models.user import User
from regstack_mongo.repository import Repository, optional

if TYPE_CHECKING:
    from datetime import datetime

    from regstack_mongo.repository import Raw

USER_FIELDS = (
    "_id", "email", "email_key", "hashed_password", "full_name", "phone_number", "is_active", "is_verified",
    "is_superuser", "is_mfa_enabled", "token_version", "created_at", "updated_at", "last_login",
    "tokens_invalidated_after",
)  # fmt: skip
"""The fields of `User`, in its order."""

PROJECTION = dict.fromkeys(USER_FIELDS, 1)
"""What is read of a user; the rest of the document is nobody's business but its statements'."""

_VALUES = itemgetter(*USER_FIELDS)


def user_of(raw: Raw) -> User:
    """Make the domain value of a raw document."""
    return User(*_VALUES(raw))


def document_of(user: User) -> Raw:
    """Make the raw document of a new account."""
    return {
        "_id": user.id,
        "email": user.email,
        "email_key": user.email_key,
        "hashed_password": user.hashed_password,
        "full_name": user.full_name,
        "name_key": search_key(user.full_name or ""),
        "phone_number": user.phone_number,
        "is_active": user.is_active,
        "is_verified": user.is_verified,
        "is_superuser": user.is_superuser,
        "is_mfa_enabled": user.is_mfa_enabled,
        "token_version": user.token_version,
        "created_at": instant(user.created_at),
        "updated_at": instant(user.updated_at),
        "last_login": optional(user.last_login),
        "tokens_invalidated_after": optional(user.tokens_invalidated_after),
    }


def change(now: datetime, **values: Any) -> Raw:
    """Give the update that sets the values and `updated_at` (USR-06)."""
    return {"$set": {"updated_at": now, **values}}


def end_of_sessions(now: datetime, **values: Any) -> Raw:
    """Give `change` that also ends all sessions (USR-02) and drops one-time tokens (USR-03)."""
    return {
        "$set": {"updated_at": now, "tokens_invalidated_after": now, **values},
        "$inc": {"token_version": 1},
        "$unset": {"reset": "", "email_change": ""},
    }


class UserDocuments(Repository):
    """What every repository over the users' collection needs."""

    async def _changed(self, query: Raw, update: Raw | list[Raw]) -> User | None:
        """Update the one account that the query finds, and give it as it is then."""
        row = await self._db.write(
            lambda connection: connection.users.find_one_and_update(
                query, update, projection=PROJECTION, return_document=ReturnDocument.AFTER
            )
        )
        return user_of(row) if row is not None else None

    async def _updated(self, query: Raw, update: Raw) -> bool:
        """Update the one account that the query finds, and say whether it found one."""
        result = await self._db.write(lambda connection: connection.users.update_one(query, update))
        return result.matched_count > 0


def this_user(user_id: str, token_version: int | None = None) -> Raw:
    """Give the query for an account, at one version where that is given (USR-09)."""
    return {"_id": user_id} if token_version is None else {"_id": user_id, "token_version": token_version}
