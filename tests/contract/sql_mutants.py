"""Broken variants of the SQL kit's repositories, one bug each, and the harnesses that carry them.

A mutant is a mixin over the harness of any SQL backend: `class Acme…(Mutant, AcmeHarness)`.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import bindparam, delete, select

from regstack.backends.base import PingReport
from regstack.backends.sql.attempts import SqlAttempts
from regstack.backends.sql.blacklist import SqlBlacklist
from regstack.backends.sql.mfa_codes import SqlMfaCodes
from regstack.backends.sql.oauth_identities import SqlOAuthIdentities
from regstack.backends.sql.oauth_states import SqlOAuthStates
from regstack.backends.sql.pending import SqlPending
from regstack.backends.sql.repository import columns_of
from regstack.backends.sql.users import SqlUsers
from regstack.errors import BackendUnavailable, LastSuperuserError, UserNotFoundError
from regstack.models.instant import instant
from regstack.models.mfa_code import MfaOutcome, MfaVerifyResult
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.user import User
from regstack.testing.harness import Harness
from tests.contract.harnesses import KeptPostgresHarness, SqliteHarness
from tests.contract.mutants import AccountThenIdentity


class SqlMutant(Harness):
    """Opens a backend one of whose repositories is replaced.

    Attributes:
        clauses: all of these must fail.
        repositories: the broken ones, by attribute of the backend.
    """

    clauses: ClassVar[tuple[str, ...]]
    repositories: ClassVar[dict[str, type[Any]]] = {}

    async def open(self, clock: Any, **settings: Any) -> Any:
        backend: Any = await super().open(clock, **settings)  # type: ignore[safe-super]
        for name, repository in self.repositories.items():
            setattr(backend, name, repository(backend.executor, backend.tables, clock))
        return backend


class SelectThenDelete(SqlPending):
    async def consume(self, token_hash: str, now: datetime) -> PendingRegistration | None:
        pending = await self._one(self._by_token, token=token_hash, at=instant(now))
        if pending is not None:
            await self.delete_by_email(pending.email_key)
        return pending


class ConsumesWithoutReturning(SqlMutant):
    clauses = ("PEN-03",)
    repositories: ClassVar = {"pending": SelectThenDelete}


class SelectThenInsert(SqlBlacklist):
    async def revoke(self, jti: str, exp: datetime) -> bool:
        if await self.is_revoked(jti):
            return False
        await super().revoke(jti, exp)
        return True


class RevokesTwice(SqlMutant):
    clauses = ("BLK-01",)
    repositories: ClassVar = {"blacklist": SelectThenInsert}


class ReadAddWrite(SqlAttempts):
    def __init__(self, db: Any, tables: Any, clock: Any) -> None:
        super().__init__(db, tables, clock)
        table = tables.attempts
        new = db.idiom.insert(table).values(
            key=bindparam("of_key"),
            window_start=bindparam("at"),
            count=bindparam("new_count"),
            expires_at=bindparam("expiry"),
        )
        written = {"count": new.excluded.count, "expires_at": new.excluded.expires_at}
        self._write = db.prepare(new.on_conflict_do_update(index_elements=[table.c.key], set_=written))
        self._read = db.prepare(
            select(table.c.count, table.c.expires_at).where(
                table.c.key == bindparam("of_key"), table.c.expires_at > bindparam("at")
            )
        )

    async def _counted(self, key: str, window: timedelta, now: datetime) -> tuple[int, datetime]:
        count, expiry = await self._db.fetch_one(self._read, of_key=key, at=now) or (0, now + window)
        await self._db.execute(self._write, of_key=key, at=now, new_count=count + 1, expiry=expiry)
        return count + 1, expiry


class LosesIncrements(SqlMutant):
    clauses = ("ATT-01",)
    repositories: ClassVar = {"attempts": ReadAddWrite}


class PayAfterCompare(SqlMfaCodes):
    async def verify(self, user_id: str, kind: str, code_hash: str, now: datetime) -> MfaVerifyResult:
        code = await self.find(user_id, kind)
        if code is None or code.attempts >= code.max_attempts or code.code_hash != code_hash:
            return await super().verify(user_id, kind, code_hash, now)
        await self.delete(user_id, kind)
        return MfaVerifyResult(MfaOutcome.OK, target=code.target)


class ComparesBeforeItIsPaid(SqlMutant):
    clauses = ("MFA-01",)
    repositories: ClassVar = {"mfa_codes": PayAfterCompare}


class Unlocked(SqlUsers):
    def __init__(self, db: Any, tables: Any, clock: Any) -> None:
        super().__init__(db, tables, clock)
        self._delete_anyway = db.prepare(delete(tables.users).where(tables.users.c.id == bindparam("user")))

    async def delete(self, user_id: str, *, token_version: int | None = None) -> bool:
        user = await self.get_by_id(user_id)
        if user is not None and user.is_superuser and user.is_active:
            if await self.count(is_superuser=True, is_active=True) == 1:
                raise LastSuperuserError
            await asyncio.sleep(0.01)  # wide enough for the last two to meet on a busy machine
            return await self._db.execute(self._delete_anyway, user=user_id) > 0
        return await super().delete(user_id, token_version=token_version)


class CountsSuperusersWithoutLock(SqlMutant):
    clauses = ("USR-04",)
    repositories: ClassVar = {"users": Unlocked}


class WithoutGrace(SqlBlacklist):
    async def purge_expired(self, now: datetime, **options: Any) -> int:
        return await super().purge_expired(now, **options | {"grace": timedelta()})


class SweepsWithoutGrace(SqlMutant):
    clauses = ("COM-07",)
    repositories: ClassVar = {"blacklist": WithoutGrace}


class LookFirst(SqlOAuthStates):
    def __init__(self, db: Any, tables: Any, clock: Any) -> None:
        super().__init__(db, tables, clock)
        table = tables.oauth_states
        self._consume = db.prepare(
            select(*columns_of(table, OAuthState)).where(
                table.c.result_hash == bindparam("result"), table.c.expires_at > bindparam("at")
            )
        )
        self._drop = db.prepare(delete(table).where(table.c.result_hash == bindparam("result")))

    async def consume(self, result_hash: str, now: datetime) -> OAuthState | None:
        state = await super().consume(result_hash, now)
        if state is not None:
            await self._db.execute(self._drop, result=result_hash)
        return state


class ExchangesTwice(SqlMutant):
    clauses = ("OST-02",)
    repositories: ClassVar = {"oauth_states": LookFirst}


class UnlinkingFirst(SqlUsers):
    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        for statement in self._drop_owned:
            await self._db.execute(statement, user=user_id)
        return await self._changed(self._hand_over, user=user_id, version=token_version)


class UnlinksBeforeItHandsOver(SqlMutant):
    clauses = ("USR-15",)
    repositories: ClassVar = {"users": UnlinkingFirst}


class LookThenLink(SqlOAuthIdentities):
    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        row = await self._db.fetch_one(self._user_by_id, user=identity.user_id)
        if row is None or token_version not in {None, User(*row).token_version}:
            raise UserNotFoundError
        return await super().create(identity)


class LinksAfterALook(SqlMutant):
    clauses = ("USR-15",)
    repositories: ClassVar = {"oauth_identities": LookThenLink}


class SqlAccountThenIdentity(AccountThenIdentity, SqlOAuthIdentities):
    def accounts(self) -> SqlUsers:
        return SqlUsers(self._db, self._tables, self._clock)


class MakesAnAccountBeforeItsIdentity(SqlMutant):
    clauses = ("OID-02",)
    repositories: ClassVar = {"oauth_identities": SqlAccountThenIdentity}


class StaleKey(SqlUsers):
    async def update_profile(self, user_id: str, *, full_name: str | None) -> User | None:
        user = await self.get_by_id(user_id)
        before = user.full_name if user is not None else None
        return await self._changed(
            self._set_profile, user=user_id, name=full_name, name_key=(before or "").casefold()
        )


class SearchesTheFormerName(SqlMutant):
    clauses = ("USR-13",)
    repositories: ClassVar = {"users": StaleKey}


class RetriesBlindly(SqlMutant):
    """Repeats a write although the answer of the first one was lost."""

    clauses = ("COM-10",)

    async def open(self, clock: Any, **settings: Any) -> Any:
        backend: Any = await super().open(clock, **settings)
        within_deadline = backend.executor.within_deadline
        backend.executor.within_deadline = lambda once, *, repeatable: within_deadline(once, repeatable=True)
        return backend


class HidesThatTheOutcomeIsUnknown(SqlMutant):
    clauses = ("COM-10",)

    async def open(self, clock: Any, **settings: Any) -> Any:
        backend: Any = await super().open(clock, **settings)
        translated = backend.executor.translated

        def known(error: Exception) -> Exception:
            seen: Exception = translated(error)
            return BackendUnavailable() if isinstance(seen, BackendUnavailable) else seen

        backend.executor.translated = known
        return backend


class PingsWithoutAsking(SqlMutant):
    clauses = ("COM-12",)

    async def open(self, clock: Any, **settings: Any) -> Any:
        backend: Any = await super().open(clock, **settings)

        async def ping() -> PingReport:
            return PingReport(round_trip=timedelta(), server_version="18")

        backend.ping = ping
        return backend


class SqliteConsumesWithoutReturning(ConsumesWithoutReturning, SqliteHarness): ...


class SqliteRevokesTwice(RevokesTwice, SqliteHarness): ...


class SqliteLosesIncrements(LosesIncrements, SqliteHarness): ...


class SqliteComparesBeforeItIsPaid(ComparesBeforeItIsPaid, SqliteHarness): ...


class SqliteCountsSuperusersWithoutLock(CountsSuperusersWithoutLock, SqliteHarness): ...


class SqliteSweepsWithoutGrace(SweepsWithoutGrace, SqliteHarness): ...


class SqliteExchangesTwice(ExchangesTwice, SqliteHarness): ...


class SqliteMakesAnAccountBeforeItsIdentity(MakesAnAccountBeforeItsIdentity, SqliteHarness): ...


class SqliteUnlinksBeforeItHandsOver(UnlinksBeforeItHandsOver, SqliteHarness): ...


class SqliteSearchesTheFormerName(SearchesTheFormerName, SqliteHarness): ...


class PostgresConsumesWithoutReturning(ConsumesWithoutReturning, KeptPostgresHarness): ...


class PostgresComparesBeforeItIsPaid(ComparesBeforeItIsPaid, KeptPostgresHarness): ...


class PostgresCountsSuperusersWithoutLock(CountsSuperusersWithoutLock, KeptPostgresHarness): ...


class PostgresUnlinksBeforeItHandsOver(UnlinksBeforeItHandsOver, KeptPostgresHarness): ...


class PostgresLinksAfterALook(LinksAfterALook, KeptPostgresHarness): ...


class PostgresRetriesBlindly(RetriesBlindly, KeptPostgresHarness): ...


class PostgresHidesThatTheOutcomeIsUnknown(HidesThatTheOutcomeIsUnknown, KeptPostgresHarness): ...


class PostgresPingsWithoutAsking(PingsWithoutAsking, KeptPostgresHarness): ...
