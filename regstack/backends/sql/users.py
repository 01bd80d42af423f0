"""Accounts."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from regstack.backends.sql.executor import UniqueViolation
from regstack.backends.sql.repository import columns_of
from regstack.backends.sql.user_credentials import UserCredentials
from regstack.backends.sql.user_paging import UserPaging
from regstack.backends.sql.user_rows import given_account, new_account
from regstack.backends.sql.user_tokens import UserTokens
from regstack.errors import LastSuperuserError, UserAlreadyExistsError
from regstack.models.instant import instant
from regstack.models.pending import PendingRegistration
from regstack.models.text import search_key
from regstack.models.user import LoginSubject, User

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor, Transaction
    from regstack.backends.sql.tables import Tables

_SUPERUSERS = "superusers"


class SqlUsers(UserTokens, UserCredentials, UserPaging):
    """Implements `regstack.backends.protocols.UserRepoProtocol`."""

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        self._prepare_creation()
        self._prepare_reads()
        self._prepare_changes()
        self._prepare_guarded()

    def _prepare_creation(self) -> None:
        pending = self._tables.pending
        values = new_account()
        self._insert = self._db.prepare(insert(self._users).values(values).returning(*self._columns))
        self._insert_if_free = self._db.prepare(
            self._db.idiom.insert(self._users)
            .values(values)
            .on_conflict_do_nothing()
            .returning(*self._columns)
        )
        self._lock_account = self._db.prepare(
            select(self._users.c.id)
            .join(pending, pending.c.user_id == self._users.c.id)
            .where(pending.c.token_hash == bindparam("token"))
            .with_for_update(of=self._users)
        )
        self._take_pending = self._db.prepare(
            delete(pending)
            .where(pending.c.token_hash == bindparam("token"), pending.c.expires_at > bindparam("at"))
            .returning(*columns_of(pending, PendingRegistration))
        )
        this_account = (
            self._users.c.id == bindparam("user"),
            self._users.c.email_key == bindparam("address_key"),
        )
        self._verify = self._db.prepare(
            self._end_of_sessions(is_verified=True)
            .where(*this_account, self._users.c.is_verified.is_(False))
            .returning(*self._columns)
        )
        self._find_confirmed = self._db.prepare(select(*self._columns).where(*this_account))

    def _prepare_reads(self) -> None:
        users, pending = self._tables.users, self._tables.pending
        self._by_id = self._db.prepare(select(*self._columns).where(users.c.id == bindparam("user")))
        self._by_email = self._db.prepare(
            select(*self._columns).where(users.c.email_key == bindparam("address_key"))
        )
        anchor = select(literal_column("1").label("one")).subquery("anchor")
        self._login_subject = self._db.prepare(
            select(*self._columns, *columns_of(pending, PendingRegistration)).select_from(
                anchor.outerjoin(users, users.c.email_key == bindparam("address_key")).outerjoin(
                    pending,
                    and_(
                        pending.c.email_key == bindparam("address_key"),
                        pending.c.expires_at > bindparam("at"),
                    ),
                )
            )
        )

    def _prepare_changes(self) -> None:
        users = self._users
        this = users.c.id == bindparam("user")
        when = bindparam("when", type_=users.c.last_login.type)
        latest = case(
            (or_(users.c.last_login.is_(None), users.c.last_login < when), when), else_=users.c.last_login
        )
        self._record_login = self._db.prepare(update(users).where(this).values(last_login=latest))
        self._set_profile = self._db.prepare(
            self._change(full_name=bindparam("name"), full_name_key=bindparam("name_key"))
            .where(this)
            .returning(*self._columns)
        )
        self._set_second_factor = self._db.prepare(
            self._change(phone_number=bindparam("phone"), is_mfa_enabled=bindparam("enabled"))
            .where(this, self._same_version)
            .returning(*self._columns)
        )

    def _prepare_guarded(self) -> None:
        users, pending = self._users, self._tables.pending
        this = users.c.id == bindparam("user")
        other = users.alias("other")
        spare = or_(
            users.c.is_active.is_(False),
            users.c.is_superuser.is_(False),
            exists().where(
                other.c.is_superuser.is_(True), other.c.is_active.is_(True), other.c.id != users.c.id
            ),
        )
        active, superuser, verified = (
            bindparam(name, type_=Boolean()) for name in ("active", "superuser", "verified")
        )
        flags = {
            "is_active": func.coalesce(active, users.c.is_active),
            "is_superuser": func.coalesce(superuser, users.c.is_superuser),
            "is_verified": func.coalesce(verified, users.c.is_verified),
        }
        set_flags = self._change(**flags).where(this, self._same_version).returning(*self._columns)
        self._set_flags = self._db.prepare(set_flags)
        self._demote = self._db.prepare(set_flags.where(spare))
        self._disable = self._db.prepare(
            self._end_of_sessions(**flags).where(this, spare, self._same_version).returning(*self._columns)
        )
        self._delete = self._db.prepare(delete(users).where(this, spare, self._same_version))
        self._delete_pending = self._db.prepare(delete(pending).where(pending.c.user_id == bindparam("user")))

    async def create(self, user: User) -> User:
        try:
            stored = await self._user(self._insert, **given_account(user))
        except UniqueViolation as violation:
            stored = await self.get_by_id(user.id)
            if stored is None:
                raise UserAlreadyExistsError from violation.__cause__
        if stored is None:
            raise TypeError("INSERT … RETURNING gave no row")
        return stored

    async def create_from_pending(self, token_hash: str, now: datetime) -> User | None:
        at = instant(now)

        async def create(transaction: Transaction) -> list[Any] | None:
            # The account before the registration, as `delete` takes them: else the two wait for each other.
            known = await transaction.fetch_one(self._lock_account, token=token_hash)
            taken = await transaction.fetch_one(self._take_pending, token=token_hash, at=at)
            if taken is None:
                return None
            pending = PendingRegistration(*taken)
            user = User.new(
                id=pending.user_id,
                email=pending.email,
                email_key=pending.email_key,
                hashed_password=pending.hashed_password,
                full_name=pending.full_name,
                now=at,
                is_verified=True,
            )
            account = {"user": user.id, "address_key": user.email_key}
            row = None
            if known is not None:  # else nobody has made it since: that takes this very row
                row = await transaction.fetch_one(self._verify, **account, at=at)
                row = row or await transaction.fetch_one(self._find_confirmed, **account)
            if row is None and pending.for_account:
                return None
            if row is None:
                row = await transaction.fetch_one(self._insert_if_free, **given_account(user))
            return row or []

        row = await self._db.transact(create)
        if row is None:
            return None
        if not row:  # raised here, since the registration is used up all the same
            raise UserAlreadyExistsError
        return User(*row)

    async def get_by_id(self, user_id: str) -> User | None:
        return await self._user(self._by_id, user=user_id)

    async def get_by_email(self, email_key: str) -> User | None:
        return await self._user(self._by_email, address_key=email_key)

    async def find_login_subject(self, email_key: str) -> LoginSubject:
        row = await self._db.fetch_one(self._login_subject, address_key=email_key, at=self._clock.now())
        if row is None or row[0] is not None:
            return LoginSubject(user=User(*row[: self._width]) if row else None, pending=None)
        rest = row[self._width :]
        return LoginSubject(user=None, pending=PendingRegistration(*rest) if rest[0] is not None else None)

    async def record_login(self, user_id: str, when: datetime) -> bool:
        return await self._db.execute(self._record_login, user=user_id, when=when) > 0

    async def update_profile(self, user_id: str, *, full_name: str | None) -> User | None:
        return await self._changed(
            self._set_profile, user=user_id, name=full_name, name_key=search_key(full_name or "")
        )

    async def set_second_factor(
        self, user_id: str, phone_number: str | None, *, token_version: int | None = None
    ) -> User | None:
        return await self._changed(
            self._set_second_factor,
            user=user_id,
            phone=phone_number,
            enabled=phone_number is not None,
            version=token_version,
        )

    async def set_flags(
        self,
        user_id: str,
        *,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
        token_version: int | None = None,
    ) -> User | None:
        values = {
            "user": user_id,
            "active": is_active,
            "superuser": is_superuser,
            "verified": is_verified,
            "version": token_version,
            "at": self._clock.now(),
        }
        if is_active is not False and is_superuser is not False:
            return await self._user(self._set_flags, **values)
        guarded = self._disable if is_active is False else self._demote

        async def change(transaction: Transaction) -> list[Any] | None:
            await transaction.lock(_SUPERUSERS)
            row = await transaction.fetch_one(guarded, **values)
            if row is None:
                await self._refuse(transaction, user_id, token_version)
            return row

        row = await self._db.transact(change)
        return User(*row) if row is not None else None

    async def delete(self, user_id: str, *, token_version: int | None = None) -> bool:
        async def erase(transaction: Transaction) -> bool:
            await transaction.lock(_SUPERUSERS)
            if await transaction.execute(self._delete, user=user_id, version=token_version) > 0:
                await transaction.execute(self._delete_pending, user=user_id)
                return True
            await self._refuse(transaction, user_id, token_version)
            return False

        return await self._db.transact(erase)

    async def _refuse(self, transaction: Transaction, user_id: str, token_version: int | None) -> None:
        """Say why a guarded statement found no row, unless the account is gone or has changed."""
        row = await transaction.fetch_one(self._by_id, user=user_id)
        if row is not None and token_version in {None, User(*row).token_version}:
            raise LastSuperuserError
