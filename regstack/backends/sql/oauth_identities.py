"""External identities linked to accounts."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Integer, bindparam, case, delete, exists, insert, or_, select, update

from regstack.backends.sql.executor import UniqueViolation
from regstack.backends.sql.repository import Repository, columns_of, given_values, new_values
from regstack.backends.sql.user_rows import given_account, new_account
from regstack.errors import OAuthIdentityAlreadyLinkedError, UserAlreadyExistsError, UserNotFoundError
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.user import User

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor, Transaction
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
        users, account = tables.users, columns_of(tables.users, User)
        new = new_values(OAuthIdentity)
        version = bindparam("version", type_=Integer)
        same_version = or_(version.is_(None), users.c.token_version == version)
        # Locked, so that the account is the same when the identity is there.
        of_owner = (
            select(*(bindparam(each.key, type_=c[name].type) for name, each in new.items()))
            .where(users.c.id == bindparam("new_user_id"), same_version)
            .with_for_update(read=True)
        )
        self._insert = db.prepare(insert(table).from_select(list(new), of_owner).returning(*columns))
        self._insert_user = db.prepare(
            db.idiom.insert(users).values(new_account()).on_conflict_do_nothing().returning(*account)
        )
        self._insert_if_free = db.prepare(db.idiom.insert(table).values(new).on_conflict_do_nothing())
        self._user_by_id = db.prepare(select(*account).where(users.c.id == bindparam("user")))
        self._by_id = db.prepare(select(*columns).where(this))
        self._by_subject = db.prepare(
            select(*columns).where(c.issuer == bindparam("of_issuer"), c.subject == bindparam("of_subject"))
        )
        self._of_user = db.prepare(select(*columns).where(of_user).order_by(c.linked_at, c.id))
        # One snapshot for both tables: an identity that it shows was linked at the version that it shows.
        owner = exists().where(users.c.id == bindparam("user"), same_version)
        self._delete = db.prepare(delete(table).where(of_user, c.provider == bindparam("of_provider"), owner))
        self._delete_all = db.prepare(delete(table).where(of_user))
        self._touch = db.prepare(update(table).where(this).values(last_used_at=latest))

    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        taken: UniqueViolation | None = None
        try:
            row = await self._db.fetch_one(self._insert, version=token_version, **given_values(identity))
        except UniqueViolation as violation:
            taken, row = violation, None
        row = row or await self._db.fetch_one(self._by_id, identity=identity.id)
        if row is not None:
            return OAuthIdentity(*row)
        if taken is not None:
            raise OAuthIdentityAlreadyLinkedError from taken.__cause__
        raise UserNotFoundError

    async def create_with_user(self, user: User, identity: OAuthIdentity) -> User:
        async def create(transaction: Transaction) -> User:
            row = await transaction.fetch_one(self._insert_user, **given_account(user))
            if row is None:
                row = await transaction.fetch_one(self._user_by_id, user=user.id)
                if row is None:
                    raise UserAlreadyExistsError
            elif await transaction.execute(self._insert_if_free, **given_values(identity)) == 0:
                raise OAuthIdentityAlreadyLinkedError
            return User(*row)

        return await self._db.transact(create)

    async def find_by_subject(self, issuer: str, subject: str) -> OAuthIdentity | None:
        row = await self._db.fetch_one(self._by_subject, of_issuer=issuer, of_subject=subject)
        return OAuthIdentity(*row) if row is not None else None

    async def list_for_user(self, user_id: str) -> list[OAuthIdentity]:
        return [OAuthIdentity(*row) for row in await self._db.fetch_all(self._of_user, user=user_id)]

    async def delete(self, user_id: str, provider: str, *, token_version: int | None = None) -> bool:
        gone = await self._db.execute(self._delete, user=user_id, of_provider=provider, version=token_version)
        return gone > 0

    async def delete_by_user_id(self, user_id: str) -> int:
        return await self._db.execute(self._delete_all, user=user_id)

    async def touch_last_used(self, identity_id: str, when: datetime) -> bool:
        return await self._db.execute(self._touch, identity=identity_id, when=when) > 0
