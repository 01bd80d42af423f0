"""Short one-time codes."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, delete, select, update

from regstack.backends.sql.executor import ForeignKeyViolation
from regstack.backends.sql.repository import ExpiringRepository, columns_of, given_values, new_values
from regstack.models.instant import instant
from regstack.models.mfa_code import MfaCode, MfaOutcome, MfaVerifyResult

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables


class SqlMfaCodes(ExpiringRepository):
    """Implements `regstack.backends.protocols.MfaCodeRepoProtocol`.

    `verify` is one UPDATE. Its RETURNING sees only new values, so the outcome, computed from the
    old ones, is a column; a row whose outcome is OK is used up and counts as missing.
    """

    table = "mfa_codes"

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        table = tables.mfa_codes
        c = table.c
        columns = columns_of(table, MfaCode)
        at = bindparam("at", type_=c.expires_at.type)
        unused = c.outcome.is_distinct_from(MfaOutcome.OK.value)
        this = (c.user_id == bindparam("user"), c.kind == bindparam("of_kind"), unused)
        new = db.idiom.insert(table).values(new_values(MfaCode))
        replaced = {column.name: new.excluded[column.name] for column in columns}
        self._put = db.prepare(
            new.on_conflict_do_update(
                index_elements=[c.user_id, c.kind], set_=replaced | {"outcome": new.excluded.outcome}
            )
        )
        expired, locked = c.expires_at <= at, c.attempts >= c.max_attempts
        self._verify = db.prepare(
            update(table)
            .where(*this)
            .values(
                outcome=case(
                    (expired, MfaOutcome.EXPIRED.value),
                    (locked, MfaOutcome.LOCKED.value),
                    (c.code_hash == bindparam("guess"), MfaOutcome.OK.value),
                    else_=MfaOutcome.WRONG.value,
                ),
                attempts=case((expired, c.attempts), (locked, c.attempts), else_=c.attempts + 1),
            )
            .returning(c.outcome, c.max_attempts, c.attempts, c.target)
        )
        self._find = db.prepare(select(*columns).where(*this, c.expires_at > at))
        self._delete = db.prepare(delete(table).where(*this).returning(c.expires_at))

    async def put(self, code: MfaCode) -> bool:
        try:
            await self._db.execute(self._put, **given_values(code))
        except ForeignKeyViolation:
            return False
        return True

    async def verify(self, user_id: str, kind: str, code_hash: str, now: datetime) -> MfaVerifyResult:
        row = await self._db.fetch_one(
            self._verify, user=user_id, of_kind=kind, guess=code_hash, at=instant(now)
        )
        if row is None:
            return MfaVerifyResult(MfaOutcome.MISSING)
        outcome, max_attempts, attempts, target = row
        if outcome == MfaOutcome.OK:
            return MfaVerifyResult(MfaOutcome.OK, target=target)
        remaining = max_attempts - attempts if outcome == MfaOutcome.WRONG else 0
        return MfaVerifyResult(MfaOutcome(outcome), attempts_remaining=remaining)

    async def find(self, user_id: str, kind: str) -> MfaCode | None:
        row = await self._db.fetch_one(self._find, user=user_id, of_kind=kind, at=self._clock.now())
        return MfaCode(*row) if row is not None else None

    async def delete(self, user_id: str, kind: str) -> bool:
        row = await self._db.fetch_one(self._delete, user=user_id, of_kind=kind)
        return row is not None and row[0] > self._clock.now()
