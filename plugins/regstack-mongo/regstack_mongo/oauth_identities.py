"""External identities, in their users' documents.

A unique multikey index forbids that two documents hold one value, not that one document holds it
twice. So between users the index decides, and within one the guard of the update.
"""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.errors import OAuthIdentityAlreadyLinkedError, UserAlreadyExistsError, UserNotFoundError
from regstack.models.instant import instant
from regstack.models.oauth_identity import OAuthIdentity
from regstack_mongo.errors import UniqueViolation
from regstack_mongo.repository import Repository, optional
from regstack_mongo.user_creation import inserted
from regstack_mongo.user_documents import document_of, this_user, user_of

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.models.user import User
    from regstack_mongo.repository import Raw


class MongoOAuthIdentities(Repository):
    """Implements `regstack.backends.protocols.OAuthIdentityRepoProtocol`."""

    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        new = _part_of(identity)
        vacant = {
            **this_user(identity.user_id, token_version),
            "identities.provider": {"$ne": identity.provider},
            "identities.key": {"$ne": new["key"]},
            "identities.id": {"$ne": identity.id},
        }
        cause: BaseException | None = None
        try:
            result = await self._db.write(
                lambda connection: connection.users.update_one(vacant, {"$push": {"identities": new}})
            )
            if result.matched_count:
                return _identity(identity.user_id, new)
        except UniqueViolation as violation:
            cause = violation.__cause__
        return await self._refused(identity, token_version, cause)

    async def create_with_user(self, user: User, identity: OAuthIdentity) -> User:
        new = document_of(user) | {"identities": [_part_of(identity)]}
        try:
            return user_of(await self._db.write(lambda connection: inserted(connection, new)))
        except UniqueViolation as violation:
            address = "email_key" in violation.fields
            cause = violation.__cause__
        raise (UserAlreadyExistsError if address else OAuthIdentityAlreadyLinkedError) from cause

    async def _refused(
        self, identity: OAuthIdentity, token_version: int | None, cause: BaseException | None
    ) -> OAuthIdentity:
        """Say why an identity was not linked; a repeat is answered with what is stored."""
        row = await self._db.read(
            lambda connection: connection.users.find_one(
                {"identities.id": identity.id}, {"identities": {"$elemMatch": {"id": identity.id}}}
            )
        )
        if row is not None:
            return _identity(row["_id"], row["identities"][0])
        if cause is None:
            user = await self._db.read(
                lambda connection: connection.users.find_one(
                    this_user(identity.user_id, token_version), {"identities.provider": 1}
                )
            )
            if user is None:
                raise UserNotFoundError
            if any(each["provider"] == identity.provider for each in user.get("identities", ())):
                raise OAuthIdentityAlreadyLinkedError("this account is already linked with this provider")
        raise OAuthIdentityAlreadyLinkedError from cause

    async def find_by_subject(self, issuer: str, subject: str) -> OAuthIdentity | None:
        key = identity_key(issuer, subject)
        row = await self._db.read(
            lambda connection: connection.users.find_one(
                {"identities.key": key}, {"identities": {"$elemMatch": {"key": key}}}
            )
        )
        return _identity(row["_id"], row["identities"][0]) if row is not None else None

    async def list_for_user(self, user_id: str) -> list[OAuthIdentity]:
        row = await self._db.read(
            lambda connection: connection.users.find_one({"_id": user_id}, {"identities": 1})
        )
        found = [_identity(user_id, each) for each in row.get("identities", ())] if row is not None else []
        return sorted(found, key=lambda identity: (identity.linked_at, identity.id))

    async def delete(self, user_id: str, provider: str, *, token_version: int | None = None) -> bool:
        result = await self._db.write(
            lambda connection: connection.users.update_one(
                {**this_user(user_id, token_version), "identities.provider": provider},
                {"$pull": {"identities": {"provider": provider}}},
            )
        )
        return result.matched_count > 0

    async def delete_by_user_id(self, user_id: str) -> int:
        row = await self._db.write(
            lambda connection: connection.users.find_one_and_update(
                {"_id": user_id, "identities": {"$exists": True}},
                {"$unset": {"identities": ""}},
                projection={"identities.id": 1},
            )
        )
        return len(row["identities"]) if row is not None else 0

    async def touch_last_used(self, identity_id: str, when: datetime) -> bool:
        update = {"$max": {"identities.$.last_used_at": instant(when)}}
        result = await self._db.write(
            lambda connection: connection.users.update_one({"identities.id": identity_id}, update)
        )
        return result.matched_count > 0


def identity_key(issuer: str, subject: str) -> str:
    """Give issuer and subject as one string; two different pairs never give the same."""
    return f"{len(issuer)}:{issuer}{subject}"


def _part_of(identity: OAuthIdentity) -> Raw:
    """Make the part of its user's document that an identity is."""
    return {
        "id": identity.id,
        "key": identity_key(identity.issuer, identity.subject),
        "provider": identity.provider,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "email": identity.email,
        "linked_at": instant(identity.linked_at),
        "last_used_at": optional(identity.last_used_at),
    }


def _identity(user_id: str, raw: Raw) -> OAuthIdentity:
    return OAuthIdentity(
        id=raw["id"],
        user_id=user_id,
        provider=raw["provider"],
        issuer=raw["issuer"],
        subject=raw["subject"],
        email=raw["email"],
        linked_at=raw["linked_at"],
        last_used_at=raw["last_used_at"],
    )
