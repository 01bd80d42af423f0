"""Broken variants of the reference backend's accounts, one bug each.

A race mutant lets the event loop turn between read and write: in memory nothing else races.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from regstack.backends.coalescing import Coalesced
from regstack.errors import UserAlreadyExistsError
from regstack.models.user import TokenSubject, User
from regstack.testing.memory.store import drop_where
from regstack.testing.memory.users import MemoryUsers
from tests.contract.mutants import Mutant

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        self, user_id: str, hashed: str | None, *, token_version: int | None = None
    ) -> User | None:
        user = self._store.users.get(user_id)
        changed = await super().set_password(user_id, hashed, token_version=token_version)
        if user is None or changed is None:
            return None
        return self._change(changed, self._clock.now(), token_version=user.token_version)


class RaisesNoVersion(Mutant):
    clauses = ("USR-02",)
    repositories: ClassVar = {"users": SameVersion}


class KeepingPasswords(Users):
    async def set_password(
        self, user_id: str, hashed: str | None, *, token_version: int | None = None
    ) -> User | None:
        user = self._store.users.get(user_id)
        kept = hashed or (user.hashed_password if user is not None else None)
        return await super().set_password(user_id, kept, token_version=token_version)


class TakesNoneForNoChange(Mutant):
    clauses = ("USR-09",)
    repositories: ClassVar = {"users": KeepingPasswords}


class ZeroIsNoGuard(Users):
    async def set_password(
        self, user_id: str, hashed: str | None, *, token_version: int | None = None
    ) -> User | None:
        return await super().set_password(user_id, hashed, token_version=token_version or None)


class TakesZeroForNoGuard(Mutant):
    clauses = ("USR-09",)
    repositories: ClassVar = {"users": ZeroIsNoGuard}


class UnlinkingFirst(Users):
    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        drop_where(self._store.identities, lambda row: row.user_id == user_id)
        for _ in range(4):
            await asyncio.sleep(0)
        linked_since = dict(self._store.identities)
        user = await super().hand_over(user_id, token_version=token_version)
        self._store.identities.update(linked_since)
        return user


class UnlinksBeforeItHandsOver(Mutant):
    clauses = ("USR-15",)
    repositories: ClassVar = {"users": UnlinkingFirst}


class HandingOver(Users):
    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        user = self._store.users.get(user_id)
        if user is not None:
            self._store.users[user_id] = replace(user, is_verified=False)
        return await super().hand_over(user_id, token_version=token_version)


class HandsOverWhatIsConfirmed(Mutant):
    clauses = ("USR-15",)
    repositories: ClassVar = {"users": HandingOver}


class InSteps(Users):
    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        if await self.set_password(user_id, None, token_version=token_version) is None:
            return None
        await asyncio.sleep(0)
        return await super().hand_over(user_id, token_version=token_version + 1)


class HandsOverInSteps(Mutant):
    clauses = ("USR-15", "COM-09")
    repositories: ClassVar = {"users": InSteps}


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


class Shared(Users):
    """Answers lookups together, the first one for the rest."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._under_way: asyncio.Future[list[TokenSubject | None]] | None = None
        self._asked: list[tuple[str, str]] = []

    async def get_token_subject(
        self, user_id: str, *, jti: str, sid: str | None = None
    ) -> TokenSubject | None:
        self._asked.append((user_id, jti))
        place = len(self._asked) - 1
        if self._under_way is None:
            self._under_way = asyncio.ensure_future(self._look_up())
        return (await self._under_way)[place]

    async def _look_up(self) -> list[TokenSubject | None]:
        await asyncio.sleep(0)
        asked, self._asked, self._under_way = self._asked, [], None
        return [await super(Shared, self).get_token_subject(user, jti=jti) for user, jti in asked]


class CancelsLookupsTogether(Mutant):
    clauses = ("USR-14",)
    repositories: ClassVar = {"users": Shared}


class Sorted(Users):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._lookups = Coalesced(self._one, self._several)

    async def get_token_subject(
        self, user_id: str, *, jti: str, sid: str | None = None
    ) -> TokenSubject | None:
        return await self._lookups((user_id, jti))

    async def _one(self, asked: tuple[str, str]) -> TokenSubject | None:
        return await super().get_token_subject(asked[0], jti=asked[1])

    async def _several(self, asked: Sequence[tuple[str, str]]) -> list[TokenSubject | None]:
        return [await self._one(each) for each in sorted(asked)]


class MixesLookupsUp(Mutant):
    clauses = ("USR-14",)
    repositories: ClassVar = {"users": Sorted}


class Joining(Users):
    """Lets a lookup join one of the same token that is under way."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._under_way: dict[str, asyncio.Task[TokenSubject | None]] = {}

    async def get_token_subject(
        self, user_id: str, *, jti: str, sid: str | None = None
    ) -> TokenSubject | None:
        if jti not in self._under_way:
            self._under_way[jti] = asyncio.ensure_future(self._look_up(user_id, jti))
        return await asyncio.shield(self._under_way[jti])

    async def _look_up(self, user_id: str, jti: str) -> TokenSubject | None:
        subject = await super().get_token_subject(user_id, jti=jti)
        for _ in range(20):
            await asyncio.sleep(0)
        del self._under_way[jti]
        return subject


class JoinsLookupsUnderWay(Mutant):
    clauses = ("USR-14",)
    repositories: ClassVar = {"users": Joining}


class Dropping(MemoryUsers):
    def _end_sessions(self, user: User, now: datetime, **changes: Any) -> User:
        drop_where(self._store.reset_tokens, lambda token: token.expires_at <= now)
        return self._change(
            user, now, token_version=user.token_version + 1, tokens_invalidated_after=now, **changes
        )


class UsesResetTokensAgain(Mutant):
    clauses = ("USR-10", "USR-11", "USR-03")
    repositories: ClassVar = {"users": Dropping}


class WholeRows(Users):
    async def set_second_factor(
        self, user_id: str, phone_number: str | None, *, token_version: int | None = None
    ) -> User | None:
        self._store.email_changes.pop(user_id, None)
        return await super().set_second_factor(user_id, phone_number, token_version=token_version)


class LosesTheEmailChangeWithThePhone(Mutant):
    clauses = ("USR-03",)
    repositories: ClassVar = {"users": WholeRows}


class PhoneFirst(Users):
    async def set_second_factor(
        self, user_id: str, phone_number: str | None, *, token_version: int | None = None
    ) -> User | None:
        user = self._at_version(user_id, token_version)
        if user is None:
            return None
        self._change(user, self._clock.now(), phone_number=phone_number)
        await asyncio.sleep(0)
        asks = phone_number is not None
        return self._change(self._store.users[user_id], self._clock.now(), is_mfa_enabled=asks)


class SetsTheSecondFactorInSteps(Mutant):
    clauses = ("USR-16",)
    repositories: ClassVar = {"users": PhoneFirst}


class UnguardedPhone(Users):
    async def set_second_factor(
        self, user_id: str, phone_number: str | None, *, token_version: int | None = None
    ) -> User | None:
        return await super().set_second_factor(user_id, phone_number)


class SetsTheSecondFactorWhateverTheVersion(Mutant):
    clauses = ("USR-09",)
    repositories: ClassVar = {"users": UnguardedPhone}


class UnguardedFlags(Users):
    async def set_flags(
        self, user_id: str, *, token_version: int | None = None, **flags: bool | None
    ) -> User | None:
        return await super().set_flags(user_id, **flags)


class SetsFlagsWhateverTheVersion(Mutant):
    clauses = ("USR-12",)
    repositories: ClassVar = {"users": UnguardedFlags}
