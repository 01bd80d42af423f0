"""Broken variants of the reference backend, one bug each, and what opens them.

A race mutant lets the event loop turn between read and write: in memory nothing else races.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from regstack.backends.base import Capability
from regstack.errors import UserAlreadyExistsError
from regstack.models.attempt import AttemptDecision
from regstack.models.instant import instant
from regstack.models.mfa_code import MfaOutcome, MfaVerifyResult
from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.user import TokenSubject, User
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


class Users(MemoryUsers):
    """Base of the mutants of accounts."""


class SwallowingUsers(Users):
    async def create(self, user: User) -> User:
        try:
            return await super().create(user)
        except UserAlreadyExistsError:
            return user


class SwallowsConflicts(Mutant):
    clauses = ("USR-01",)
    repositories: ClassVar = {"users": SwallowingUsers}


class LeakingUsers(Users):
    async def create(self, user: User) -> User:
        try:
            return await super().create(user)
        except UserAlreadyExistsError:
            raise sqlite3.IntegrityError("UNIQUE constraint failed: users.email_key") from None


class LeaksDriverErrors(Mutant):
    clauses = ("COM-04",)
    repositories: ClassVar = {"users": LeakingUsers}


class TalkativeUsers(Users):
    async def create(self, user: User) -> User:
        try:
            return await super().create(user)
        except UserAlreadyExistsError as error:
            raise error from sqlite3.IntegrityError(f"[parameters: {user.hashed_password}]")


class ShowsParameters(Mutant):
    clauses = ("COM-04",)
    repositories: ClassVar = {"users": TalkativeUsers}


class SameVersion(Users):
    async def set_password(
        self, user_id: str, hashed: str, *, token_version: int | None = None
    ) -> User | None:
        user = self._store.users.get(user_id)
        changed = await super().set_password(user_id, hashed, token_version=token_version)
        if user is None or changed is None:
            return None
        return self._change(changed, self._clock.now(), token_version=user.token_version)


class RaisesNoVersion(Mutant):
    clauses = ("USR-02",)
    repositories: ClassVar = {"users": SameVersion}


class ZeroIsNoGuard(Users):
    async def set_password(
        self, user_id: str, hashed: str, *, token_version: int | None = None
    ) -> User | None:
        return await super().set_password(user_id, hashed, token_version=token_version or None)


class TakesZeroForNoGuard(Mutant):
    clauses = ("USR-09",)
    repositories: ClassVar = {"users": ZeroIsNoGuard}


class KeepingUsers(Users):
    async def reset_password(self, token_hash: str, hashed: str, now: datetime) -> User | None:
        changes = dict(self._store.email_changes)
        user = await super().reset_password(token_hash, hashed, now)
        self._store.email_changes.update(changes)
        return user


class KeepsTheOtherToken(Mutant):
    clauses = ("USR-03",)
    repositories: ClassVar = {"users": KeepingUsers}


class UnlockedUsers(Users):
    async def delete(self, user_id: str) -> bool:
        user = self._store.users.get(user_id)
        if user is None:
            return False
        self._refuse_last_superuser(user)
        await asyncio.sleep(0)
        return self._store.users.pop(user_id, None) is not None


class CountsSuperusersWithoutLock(Mutant):
    clauses = ("USR-04",)
    repositories: ClassVar = {"users": UnlockedUsers}


class OrphaningUsers(Users):
    async def delete(self, user_id: str) -> bool:
        identities = dict(self._store.identities)
        deleted = await super().delete(user_id)
        self._store.identities.update(identities)
        return deleted


class LeavesOrphans(Mutant):
    clauses = ("USR-05",)
    repositories: ClassVar = {"users": OrphaningUsers}


class HalfwayUsers(Users):
    async def delete(self, user_id: str, *, token_version: int | None = None) -> bool:
        if self._at_version(user_id, token_version) is None:
            return False
        del self._store.users[user_id]
        await asyncio.sleep(0)
        drop_where(self._store.pending, lambda row: row.user_id == user_id)
        drop_where(self._store.identities, lambda row: row.user_id == user_id)
        return True


class IsCancelledHalfway(Mutant):
    clauses = ("COM-09",)
    repositories: ClassVar = {"users": HalfwayUsers}


class UncheckedIdentities(MemoryOAuthIdentities):
    async def create(self, identity: Any) -> Any:
        known = identity.user_id in self._store.users
        await asyncio.sleep(0)
        if known and identity.user_id not in self._store.users:
            self._store.identities[identity.id] = identity
            return identity
        return await super().create(identity)


class LinksToWhoIsBeingDeleted(Mutant):
    clauses = ("USR-05",)
    repositories: ClassVar = {"oauth_identities": UncheckedIdentities}


class WallClock(Users):
    async def update_profile(self, user_id: str, *, full_name: str | None) -> User | None:
        user = self._store.users.get(user_id)
        return self._change(user, datetime.now(UTC), full_name=full_name) if user is not None else None


class ReadsTheWallClock(Mutant):
    clauses = ("COM-01", "USR-06")
    repositories: ClassVar = {"users": WallClock}


class AnySpelling(Users):
    async def get_by_id(self, user_id: str) -> User | None:
        return await super().get_by_id(user_id.lower())


class FindsIdsInAnySpelling(Mutant):
    clauses = ("COM-03",)
    repositories: ClassVar = {"users": AnySpelling}


class Undetached(Users):
    async def get_by_id(self, user_id: str) -> User | None:
        return self._store.users.get(user_id)


class SharesWhatIsStored(Mutant):
    clauses = ("COM-05",)
    repositories: ClassVar = {"users": Undetached}


class Patterns(Users):
    def _matching(self, search: str | None, *flags: bool | None) -> list[User]:
        users = super()._matching(None, *flags)
        pattern = re.compile((search or "").replace("%", ".*").replace("_", "."), re.IGNORECASE)
        return [
            user for user in users if pattern.match(user.email_key) or pattern.match(user.full_name or "")
        ]


class ReadsSearchesAsPatterns(Mutant):
    clauses = ("USR-13", "COM-11")
    repositories: ClassVar = {"users": Patterns}


class Trimming(Users):
    async def create(self, user: User) -> User:
        return await super().create(replace(user, full_name=(user.full_name or "").strip() or None))


class TrimsText(Mutant):
    clauses = ("COM-11",)
    repositories: ClassVar = {"users": Trimming}


class NoRepeats(Users):
    async def create(self, user: User) -> User:
        if user.id in self._store.users:
            raise UserAlreadyExistsError
        return await super().create(user)


class RefusesItsOwnId(Mutant):
    clauses = ("COM-10",)
    repositories: ClassVar = {"users": NoRepeats}


class Offsets(Users):
    async def list_page(self, *, limit: int, after: str | None = None, **options: Any) -> list[User]:
        everyone = await super().list_page(limit=10_000, **options)
        await asyncio.sleep(0)
        start = sum(user.id < after for user in everyone) if after is not None else 0
        return everyone[start : start + limit]


class RepeatsTheLastOfAPage(Mutant):
    clauses = ("USR-13",)
    repositories: ClassVar = {"users": Offsets}


class Forgetful(Users):
    async def get_token_subject(
        self, user_id: str, *, jti: str, sid: str | None = None
    ) -> TokenSubject | None:
        subject = await super().get_token_subject(user_id, jti=jti, sid=sid)
        return replace(subject, revoked=jti in self._store.revocations) if subject is not None else None


class KnowsRevocationsForever(Mutant):
    clauses = ("COM-06",)
    repositories: ClassVar = {"users": Forgetful}


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


class Dropping(MemoryUsers):
    def _end_sessions(self, user: User, now: datetime, **changes: Any) -> User:
        drop_where(self._store.reset_tokens, lambda token: token.expires_at <= now)
        return self._change(
            user, now, token_version=user.token_version + 1, tokens_invalidated_after=now, **changes
        )


class UsesResetTokensAgain(Mutant):
    clauses = ("USR-10", "USR-11", "USR-03")
    repositories: ClassVar = {"users": Dropping}


class Prolonging(MemoryBlacklist):
    async def revoke(self, jti: str, exp: datetime) -> bool:
        first = await super().revoke(jti, exp)
        self._store.revocations[jti] = instant(exp)
        return first


class LetsALaterRevocationDecideTheExpiry(Mutant):
    clauses = ("BLK-01",)
    by_model = True
    repositories: ClassVar = {"blacklist": Prolonging}


class WholeRows(Users):
    async def set_phone(self, user_id: str, phone_number: str | None) -> User | None:
        self._store.email_changes.pop(user_id, None)
        return await super().set_phone(user_id, phone_number)


class LosesTheEmailChangeWithThePhone(Mutant):
    clauses = ("USR-03",)
    repositories: ClassVar = {"users": WholeRows}


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
