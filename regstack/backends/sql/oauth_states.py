"""Authorisation flows under way."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from regstack.backends.sql.executor import ConstraintViolation
from regstack.backends.sql.repository import ExpiringRepository, columns_of, given_values, new_values
from regstack.models.instant import instant
from regstack.models.oauth_state import OAuthState

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables


class SqlOAuthStates(ExpiringRepository):
    """Implements `regstack.backends.protocols.OAuthStateRepoProtocol`."""

    table = "oauth_states"

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        table = tables.oauth_states
        c = table.c
        columns = columns_of(table, OAuthState)
        unexpired = c.expires_at > bindparam("at")
        this = c.state_hash == bindparam("state")
        self._insert = db.prepare(insert(table).values(new_values(OAuthState)))
        self._find = db.prepare(select(*columns).where(this, unexpired))
        self._set_result = db.prepare(
            update(table)
            .where(this, unexpired, c.result_hash.is_(None))
            .values(
                result_hash=bindparam("result"),
                result_user_id=bindparam("user"),
                result_token_version=bindparam("version"),
                was_new_account=bindparam("is_new"),
                expires_at=bindparam("expiry"),
            )
        )
        self._consume = db.prepare(
            delete(table).where(c.result_hash == bindparam("result"), unexpired).returning(*columns)
        )

    async def create(self, state: OAuthState) -> bool:
        try:
            await self._db.execute(self._insert, **given_values(state))
        except ConstraintViolation:
            return False
        return True

    async def find(self, state_hash: str) -> OAuthState | None:
        row = await self._db.fetch_one(self._find, state=state_hash, at=self._clock.now())
        return OAuthState(*row) if row is not None else None

    async def set_result(
        self,
        state_hash: str,
        *,
        result_hash: str,
        user_id: str,
        token_version: int,
        was_new_account: bool,
        expires_at: datetime,
        now: datetime,
    ) -> bool:
        try:
            changed = await self._db.execute(
                self._set_result,
                state=state_hash,
                result=result_hash,
                user=user_id,
                version=token_version,
                is_new=was_new_account,
                expiry=expires_at,
                at=instant(now),
            )
        except ConstraintViolation:
            return False
        return changed > 0

    async def consume(self, result_hash: str, now: datetime) -> OAuthState | None:
        row = await self._db.fetch_one(self._consume, result=result_hash, at=instant(now))
        return OAuthState(*row) if row is not None else None
