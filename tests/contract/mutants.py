"""Broken variants of the reference backend, one bug each, and what opens them.

A race mutant lets the event loop turn between read and write: in memory nothing else races.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from regstack.backends.base import Capability
from regstack.errors import OAuthIdentityAlreadyLinkedError
from regstack.models.attempt import AttemptDecision
from regstack.models.instant import instant
from regstack.models.mfa_code import MfaOutcome, MfaVerifyResult
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.user import User
from regstack.testing.memory.attempts import MemoryAttempts
from regstack.testing.memory.backend import MemoryBackend
from regstack.testing.memory.blacklist import MemoryBlacklist
from regstack.testing.memory.harness import MemoryHarness
from regstack.testing.memory.mfa_codes import MemoryMfaCodes
from regstack.testing.memory.oauth import MemoryOAuthIdentities, MemoryOAuthStates
from regstack.testing.memory.pending import MemoryPending
from regstack.testing.memory.store import drop_where
from regstack.testing.memory.users import MemoryUsers


class Mutant(MemoryHarness):
    """Opens a backend one of whose repositories is replaced.

    Attributes:
        clauses: all of these must fail.
        by_model: it takes random programs to find it; those that check one of the clauses must fail.
        repositories: the broken ones, by attribute of the backend.
    """

    clauses: ClassVar[tuple[str, ...]]
    by_model: ClassVar[bool] = False
    repositories: ClassVar[dict[str, type[Any]]] = {}

    async def open(self, clock: Any, **settings: Any) -> MemoryBackend:
        backend = await super().open(clock, **settings)
        for name, repository in self.repositories.items():
            setattr(backend, name, repository(backend.store, clock))
        return backend


class SelectThenInsert(MemoryBlacklist):
    async def revoke(self, jti: str, exp: datetime) -> bool:
        known = jti in self._store.revocations
        await asyncio.sleep(0)
        if not known:
            await super().revoke(jti, exp)
        return not known


class RevokesTwice(Mutant):
    clauses = ("BLK-01",)
    repositories: ClassVar = {"blacklist": SelectThenInsert}


class SelectThenDelete(MemoryPending):
    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        row = self._unexpired(token_hash, now)
        await asyncio.sleep(0)
        if row is not None:
            self._store.pending.pop(row.email_key, None)
        return row


class ConsumesTwice(Mutant):
    clauses = ("PEN-03",)
    repositories: ClassVar = {"pending": SelectThenDelete}


class ReadAddWrite(MemoryAttempts):
    async def claim(self, key: str, *, limit: int, window: timedelta, now: datetime) -> AttemptDecision:
        before = self._store.attempts.get(key)
        await asyncio.sleep(0)
        if before is not None:
            self._store.attempts[key] = before
        return await super().claim(key, limit=limit, window=window, now=now)


class LosesIncrements(Mutant):
    clauses = ("ATT-01", "COM-08")
    repositories: ClassVar = {"attempts": ReadAddWrite}


class ExtendingAttempts(MemoryAttempts):
    async def claim(self, key: str, *, limit: int, window: timedelta, now: datetime) -> AttemptDecision:
        decision = await super().claim(key, limit=limit, window=window, now=now)
        row = self._store.attempts[key]
        self._store.attempts[key] = replace(row, expires_at=now + window)
        return decision


class RefusedAttemptsExtendTheWindow(Mutant):
    clauses = ("ATT-02",)
    repositories: ClassVar = {"attempts": ExtendingAttempts}


class ReadThenClear(MemoryAttempts):
    async def clear(self, key: str, *, at_most: int | None = None) -> bool:
        row = self._store.attempts.get(key)
        await asyncio.sleep(0)
        if row is None or (at_most is not None and row.count > at_most):
            return False
        return await super().clear(key)


class ClearsWhatWasAddedMeanwhile(Mutant):
    clauses = ("ATT-03", "COM-08")
    repositories: ClassVar = {"attempts": ReadThenClear}


class ClearAll(MemoryAttempts):
    async def clear(self, key: str, *, at_most: int | None = None) -> bool:
        return await super().clear(key)


class ClearsWhateverTheCount(Mutant):
    clauses = ("ATT-03",)
    repositories: ClassVar = {"attempts": ClearAll}


class OneInstantTooLong(MemoryPending):
    async def find_by_email(self, email_key: str) -> PendingRegistration | None:
        row = self._store.pending.get(email_key)
        return row if row is not None and not row.expires_at < self._clock.now() else None


class ExpiresLate(Mutant):
    clauses = ("COM-06",)
    repositories: ClassVar = {"pending": OneInstantTooLong}


class IgnoringNow(MemoryPending):
    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        return await super().consume(token_hash, self._clock.now())


class AsksTheClockAlthoughTold(Mutant):
    clauses = ("COM-01",)
    repositories: ClassVar = {"pending": IgnoringNow}


class WithoutGrace(MemoryBlacklist):
    async def purge_expired(self, now: datetime, **options: Any) -> int:
        return await super().purge_expired(now, **options | {"grace": timedelta()})


class SweepsWithoutGrace(Mutant):
    clauses = ("COM-07",)
    repositories: ClassVar = {"blacklist": WithoutGrace}


class OneBatch(MemoryBlacklist):
    async def purge_expired(self, now: datetime, **options: Any) -> int:
        return min(await super().purge_expired(now, **options), options.get("batch", 1000))


class CountsOneBatchOnly(Mutant):
    clauses = ("COM-07",)
    repositories: ClassVar = {"blacklist": OneBatch}


class AnyDatetime(MemoryBlacklist):
    async def revoke(self, jti: str, exp: datetime) -> bool:
        return await super().revoke(jti, exp.replace(tzinfo=exp.tzinfo or UTC))


class TakesNaiveTime(Mutant):
    clauses = ("COM-02",)
    repositories: ClassVar = {"blacklist": AnyDatetime}


class UncheckedIdentities(MemoryOAuthIdentities):
    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        known = identity.user_id in self._store.users
        await asyncio.sleep(0)
        if known and identity.user_id not in self._store.users:
            self._store.identities[identity.id] = identity
            return identity
        return await super().create(identity, token_version=token_version)


class LinksToWhoIsBeingDeleted(Mutant):
    clauses = ("USR-05",)
    repositories: ClassVar = {"oauth_identities": UncheckedIdentities}


class Unguarded(MemoryOAuthIdentities):
    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        return await super().create(identity)


class LinksWhateverTheVersion(Mutant):
    clauses = ("USR-09", "USR-15")
    repositories: ClassVar = {"oauth_identities": Unguarded}


class UnguardedUnlink(MemoryOAuthIdentities):
    async def delete(self, user_id: str, provider: str, *, token_version: int | None = None) -> bool:
        return await super().delete(user_id, provider)


class UnlinksWhateverTheVersion(Mutant):
    clauses = ("oauth_identities.delete",)
    repositories: ClassVar = {"oauth_identities": UnguardedUnlink}


class AccountThenIdentity:
    """Stores an account before its identity, and deletes it again where that is taken."""

    def accounts(self) -> Any:
        raise NotImplementedError

    async def create_with_user(self: Any, user: User, identity: OAuthIdentity) -> User:
        created: User = await self.accounts().create(user)
        await asyncio.sleep(0)
        try:
            await self.create(identity)
        except OAuthIdentityAlreadyLinkedError:
            await self.accounts().delete(user.id)
            raise
        return created


class MemoryAccountThenIdentity(AccountThenIdentity, MemoryOAuthIdentities):
    def accounts(self) -> MemoryUsers:
        return MemoryUsers(self._store, self._clock)


class MakesAnAccountBeforeItsIdentity(Mutant):
    clauses = ("OID-02",)
    repositories: ClassVar = {"oauth_identities": MemoryAccountThenIdentity}


class PayAfterCompare(MemoryMfaCodes):
    async def verify(self, user_id: str, kind: str, code_hash: str, now: datetime) -> MfaVerifyResult:
        code = self._store.mfa_codes.get((user_id, kind))
        if code is not None and code.expires_at > now and code.attempts < code.max_attempts:
            await asyncio.sleep(0)
            if code.code_hash == code_hash:
                self._store.mfa_codes.pop((user_id, kind), None)
                return MfaVerifyResult(MfaOutcome.OK, target=code.target)
        return await super().verify(user_id, kind, code_hash, now)


class ComparesBeforeItIsPaid(Mutant):
    clauses = ("MFA-01",)
    repositories: ClassVar = {"mfa_codes": PayAfterCompare}


class ReadThenWrite(MemoryOAuthStates):
    async def set_result(self, state_hash: str, **result: Any) -> bool:
        state = self._store.states.get(state_hash)
        await asyncio.sleep(0)
        if state is not None and state.result_hash is None:
            self._store.states[state_hash] = replace(state)
        return await super().set_result(state_hash, **result)


class StoresSeveralResults(Mutant):
    clauses = ("OST-01",)
    repositories: ClassVar = {"oauth_states": ReadThenWrite}


class ByAddress(MemoryPending):
    async def rotate(
        self, old_token_hash: str, *, token_hash: str, expires_at: datetime, now: datetime
    ) -> bool:
        row = self._unexpired(old_token_hash, now)
        await asyncio.sleep(0)
        if row is None:
            return False
        self._store.pending[row.email_key] = replace(row, token_hash=token_hash, expires_at=expires_at)
        return True


class BringsBackWhatWasReplaced(Mutant):
    clauses = ("PEN-02",)
    repositories: ClassVar = {"pending": ByAddress}


class Undeclared(Mutant):
    """Has the repositories of OAuth, and does not declare them."""

    clauses = ("capabilities",)

    async def open(self, clock: Any, **settings: Any) -> MemoryBackend:
        backend = await super().open(clock, **settings)
        backend.capabilities = backend.capabilities - {Capability.OAUTH}
        return backend


class Prolonging(MemoryBlacklist):
    async def revoke(self, jti: str, exp: datetime) -> bool:
        first = await super().revoke(jti, exp)
        self._store.revocations[jti] = instant(exp)
        return first


class LetsALaterRevocationDecideTheExpiry(Mutant):
    clauses = ("BLK-01",)
    by_model = True
    repositories: ClassVar = {"blacklist": Prolonging}


class LongestWindow(MemoryAttempts):
    async def record_failure(self, key: str, *, window: timedelta, now: datetime) -> int:
        count = await super().record_failure(key, window=window, now=now)
        row = self._store.attempts[key]
        longest = max(row.expires_at, instant(row.opened_at + window))
        self._store.attempts[key] = replace(row, expires_at=longest)
        return count


class LetsAFailureProlongAWindow(Mutant):
    clauses = ("attempts.record_failure",)
    by_model = True
    repositories: ClassVar = {"attempts": LongestWindow}


class OverExpired(MemoryOAuthStates):
    async def create(self, state: OAuthState) -> bool:
        known = self._store.states.get(state.state_hash)
        if known is not None and known.expires_at <= self._clock.now():
            del self._store.states[state.state_hash]
        return await super().create(state)


class ReplacesAnExpiredFlow(Mutant):
    clauses = ("oauth_states.create",)
    by_model = True
    repositories: ClassVar = {"oauth_states": OverExpired}


class OneRegistrationEach(MemoryPending):
    async def put(self, pending: PendingRegistration) -> None:
        drop_where(self._store.pending, lambda row: row.user_id == pending.user_id)
        await super().put(pending)


class KeepsOneRegistrationOfAUser(Mutant):
    clauses = ("pending.put",)
    by_model = True
    repositories: ClassVar = {"pending": OneRegistrationEach}


class WithKnownFailure(RevokesTwice):
    known_failures: ClassVar = {
        "test_of_many_revocations_at_once_one_is_the_first[instances]": "the row is looked for first"
    }


class WithKnownFailureThatPasses(MemoryHarness):
    known_failures: ClassVar = {"test_a_token_is_revoked_once": "it was so once"}


class WithKnownFailureOfNoTest(MemoryHarness):
    known_failures: ClassVar = {"test_of_nothing": "it was renamed"}
