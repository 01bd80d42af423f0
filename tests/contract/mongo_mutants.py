"""Broken variants of the MongoDB repositories, one bug each, on a replica set of one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from regstack.errors import LastSuperuserError
from regstack.models.instant import instant
from regstack.models.mfa_code import MfaOutcome, MfaVerifyResult
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.pending import PendingRegistration
from regstack.models.user import User
from regstack_mongo.attempts import MongoAttempts
from regstack_mongo.mfa_codes import MongoMfaCodes
from regstack_mongo.oauth_identities import MongoOAuthIdentities
from regstack_mongo.pending import MongoPending, pending_of
from regstack_mongo.users import MongoUsers
from tests.contract.harnesses import KeptMongoHarness
from tests.contract.mutants import AccountThenIdentity


class MongoMutant(KeptMongoHarness):
    """Opens a backend one of whose repositories is replaced.

    Attributes:
        clauses: all of these must fail.
        repositories: the broken ones, by attribute of the backend.
    """

    clauses: ClassVar[tuple[str, ...]]
    repositories: ClassVar[dict[str, type[Any]]]

    async def open(self, clock: Any, **settings: Any) -> Any:
        backend: Any = await super().open(clock, **settings)
        for name, repository in self.repositories.items():
            setattr(backend, name, repository(backend.executor, clock))
        return backend


class FindThenDelete(MongoPending):
    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        query = {"token_hash": token_hash, "expires_at": {"$gt": instant(now)}}
        row = await self._db.read(lambda connection: connection.pending.find_one(query))
        await self._db.write(lambda connection: connection.pending.delete_one(query))
        return pending_of(row) if row is not None else None


class MongoConsumesTwice(MongoMutant):
    clauses = ("PEN-03",)
    repositories: ClassVar = {"pending": FindThenDelete}


class ReadAddReplace(MongoAttempts):
    async def _counted(self, key: str, window: timedelta, now: datetime) -> Any:
        query = {"_id": key, "expires_at": {"$gt": now}}
        row = await self._db.read(lambda connection: connection.attempts.find_one(query))
        row = row or {"_id": key, "window_start": now, "count": 0, "expires_at": instant(now + window)}
        row["count"] += 1
        await self._db.write(
            lambda connection: connection.attempts.replace_one({"_id": key}, row, upsert=True)
        )
        return row


class MongoLosesIncrements(MongoMutant):
    clauses = ("ATT-01",)
    repositories: ClassVar = {"attempts": ReadAddReplace}


class PayAfterCompare(MongoMfaCodes):
    async def verify(self, user_id: str, kind: str, code_hash: str, now: datetime) -> MfaVerifyResult:
        code = await self.find(user_id, kind)
        if code is None or code.attempts >= code.max_attempts or code.code_hash != code_hash:
            return await super().verify(user_id, kind, code_hash, now)
        await self.delete(user_id, kind)
        return MfaVerifyResult(MfaOutcome.OK, target=code.target)


class MongoComparesBeforeItIsPaid(MongoMutant):
    clauses = ("MFA-01",)
    repositories: ClassVar = {"mfa_codes": PayAfterCompare}


class CountThenDelete(MongoUsers):
    async def delete(self, user_id: str, *, token_version: int | None = None) -> bool:
        user = await self.get_by_id(user_id)
        if user is None or not (user.is_superuser and user.is_active):
            return await super().delete(user_id, token_version=token_version)
        if await self.count(is_superuser=True, is_active=True) == 1:
            raise LastSuperuserError
        gone = await self._db.write(lambda connection: connection.users.delete_one({"_id": user_id}))
        return gone.deleted_count > 0


class MongoCountsSuperusersWithoutARollCall(MongoMutant):
    clauses = ("USR-04",)
    repositories: ClassVar = {"users": CountThenDelete}


class LookThenPush(MongoOAuthIdentities):
    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        linked = await self.list_for_user(identity.user_id)
        if any(each.provider == identity.provider for each in linked):
            return await super().create(identity, token_version=token_version)
        new = {
            "id": identity.id,
            "key": identity.id,  # unique whatever the subject is
            "provider": identity.provider,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "email": identity.email,
            "linked_at": instant(identity.linked_at),
            "last_used_at": None,
        }
        await self._db.write(
            lambda connection: connection.users.update_one(
                {"_id": identity.user_id}, {"$push": {"identities": new}}
            )
        )
        return identity


class MongoLinksTwice(MongoMutant):
    clauses = ("OID-01",)
    repositories: ClassVar = {"oauth_identities": LookThenPush}


class UnlinkingFirst(MongoUsers):
    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        identities = MongoOAuthIdentities(self._db, self._clock)
        await identities.delete_by_user_id(user_id)
        if await self.set_password(user_id, None, token_version=token_version) is None:
            return None
        return await self.set_flags(user_id, is_verified=True)


class MongoUnlinksBeforeItHandsOver(MongoMutant):
    clauses = ("USR-15",)
    repositories: ClassVar = {"users": UnlinkingFirst}


class MongoAccountThenIdentity(AccountThenIdentity, MongoOAuthIdentities):
    def accounts(self) -> MongoUsers:
        return MongoUsers(self._db, self._clock)


class MongoMakesAnAccountBeforeItsIdentity(MongoMutant):
    clauses = ("OID-02",)
    repositories: ClassVar = {"oauth_identities": MongoAccountThenIdentity}


class WithoutExpiry(MongoPending):
    async def find_by_email(self, email_key: str) -> PendingRegistration | None:
        return await self._found({"_id": email_key})


class MongoLeavesExpiryToTheServer(MongoMutant):
    clauses = ("COM-06",)
    repositories: ClassVar = {"pending": WithoutExpiry}
