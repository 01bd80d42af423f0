"""External identities linked to accounts."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, delete, insert, or_, select, update

from regstack.backends.sql.executor import ForeignKeyViolation, UniqueViolation
from regstack.backends.sql.repository import Repository, columns_of, given_values, new_values
from regstack.errors import OAuthIdentityAlreadyLinkedError, UserNotFoundError
from regstack.models.oauth_identity import OAuthIdentity

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables


class SqlOAuthIdentities(Repository):
    """Implements `regstack.backends.protocols.OAuthIdentityRepoProtocol`."""

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        table = tables.oauth_identities
        c = table.c
        columns = columns_of(table, OAuthIdentity)
        of_user = c.user_id == bindparam("user")
        this = c.id == bindparam("identity")
        when = bindparam("when", type_=c.last_used_at.type)
        latest = case((or_(c.last_used_at.is_(None), c.last_used_at < when), when), else_=c.last_used_at)
        self._insert = db.prepare(insert(table).values(new_values(OAuthIdentity)).returning(*columns))
        self._by_id = db.prepare(select(*columns).where(this))
        self._by_subject = db.prepare(
            select(*columns).where(c.issuer == bindparam("of_issuer"), c.subject == bindparam("of_subject"))
        )
        self._of_user = db.prepare(select(*columns).where(of_user).order_by(c.linked_at, c.id))
        self._delete = db.prepare(delete(table).where(of_user, c.provider == bindparam("of_provider")))
        self._delete_all = db.prepare(delete(table).where(of_user))
        self._touch = db.prepare(update(table).where(this).values(last_used_at=latest))

    async def create(self, identity: OAuthIdentity) -> OAuthIdentity:
        try:
            row = await self._db.fetch_one(self._insert, **given_values(identity))
        except UniqueViolation as violation:
            row = await self._db.fetch_one(self._by_id, identity=identity.id)
            if row is None:
                raise OAuthIdentityAlreadyLinkedError from violation.__cause__
        except ForeignKeyViolation as violation:
            raise UserNotFoundError from violation.__cause__
        if row is None:
            raise TypeError("INSERT … RETURNING gave no row")
        return OAuthIdentity(*row)

    async def find_by_subject(self, issuer: str, subject: str) -> OAuthIdentity | None:
        row = await self._db.fetch_one(self._by_subject, of_issuer=issuer, of_subject=subject)
        return OAuthIdentity(*row) if row is not None else None

    async def list_for_user(self, user_id: str) -> list[OAuthIdentity]:
        return [OAuthIdentity(*row) for row in await self._db.fetch_all(self._of_user, user=user_id)]

    async def delete(self, user_id: str, provider: str) -> bool:
        return await self._db.execute(self._delete, user=user_id, of_provider=provider) > 0

    async def delete_by_user_id(self, user_id: str) -> int:
        return await self._db.execute(self._delete_all, user=user_id)

    async def touch_last_used(self, identity_id: str, when: datetime) -> bool:
        return await self._db.execute(self._touch, identity=identity_id, when=when) > 0
