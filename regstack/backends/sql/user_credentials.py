"""Passwords, sessions and mailed tokens of users."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, null, update

from regstack.backends.sql.executor import UniqueViolation
from regstack.backends.sql.user_rows import UserRows
from regstack.errors import UserAlreadyExistsError
from regstack.models.instant import instant
from regstack.models.user import User

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor, Transaction
    from regstack.backends.sql.tables import Tables
    from regstack.models.email_address import EmailAddress


class UserCredentials(UserRows):
    """The part of `UserRepoProtocol` that decides who gets in."""

    def __init__(self, db: Executor, tables: Tables, clock: Clock) -> None:
        super().__init__(db, tables, clock)
        c = self._users.c
        this = c.id == bindparam("user")
        active = c.is_active.is_(True)
        self._rehash = db.prepare(
            update(self._users)
            .where(this, c.hashed_password == bindparam("old"))
            .values(hashed_password=bindparam("hashed"))
        )
        self._set_password = db.prepare(
            self._end_of_sessions(hashed_password=bindparam("hashed"))
            .where(this, self._same_version)
            .returning(*self._columns)
        )
        self._invalidate = db.prepare(self._end_of_sessions().where(this).returning(*self._columns))
        self._hand_over = db.prepare(
            self._end_of_sessions(
                hashed_password=null(), phone_number=null(), is_mfa_enabled=False, is_verified=True
            )
            .where(this, self._same_version, c.is_verified.is_(False))
            .returning(*self._columns)
        )
        self._drop_owned = [
            db.prepare(delete(table).where(table.c.user_id == bindparam("user")))
            for table in (tables.oauth_identities, tables.mfa_codes)
        ]
        self._put_reset = db.prepare(
            self._change(
                reset_token_hash=bindparam("token"), reset_token_expires_at=bindparam("expiry")
            ).where(this, active, self._same_version)
        )
        self._reset = db.prepare(
            self._end_of_sessions(hashed_password=bindparam("hashed"))
            .where(
                active, c.reset_token_hash == bindparam("token"), c.reset_token_expires_at > bindparam("at")
            )
            .returning(*self._columns)
        )
        self._put_email_change = db.prepare(
            self._change(
                email_change_token_hash=bindparam("token"),
                email_change_expires_at=bindparam("expiry"),
                new_email=bindparam("address"),
                new_email_key=bindparam("address_key"),
            ).where(this, active, self._same_version)
        )
        self._confirm_email_change = db.prepare(
            self._end_of_sessions(email=c.new_email, email_key=c.new_email_key, is_verified=True)
            .where(
                active,
                c.email_change_token_hash == bindparam("token"),
                c.email_change_expires_at > bindparam("at"),
            )
            .returning(*self._columns)
        )

    async def rehash_password(self, user_id: str, *, old_hash: str, new_hash: str) -> bool:
        return await self._db.execute(self._rehash, user=user_id, old=old_hash, hashed=new_hash) > 0

    async def set_password(
        self, user_id: str, hashed: str | None, *, token_version: int | None = None
    ) -> User | None:
        return await self._changed(self._set_password, user=user_id, hashed=hashed, version=token_version)

    async def invalidate_tokens(self, user_id: str) -> User | None:
        return await self._changed(self._invalidate, user=user_id)

    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        at = self._clock.now()

        async def change(transaction: Transaction) -> list[Any] | None:
            # The account first: links under way lock it, so none comes to be behind what is deleted.
            row = await transaction.fetch_one(self._hand_over, user=user_id, version=token_version, at=at)
            if row is not None:
                for statement in self._drop_owned:
                    await transaction.execute(statement, user=user_id)
            return row

        row = await self._db.transact(change)
        return User(*row) if row is not None else None

    async def put_reset_token(
        self, user_id: str, token_hash: str, expires_at: datetime, *, token_version: int | None = None
    ) -> bool:
        changed = await self._db.execute(
            self._put_reset,
            user=user_id,
            token=token_hash,
            expiry=expires_at,
            version=token_version,
            at=self._clock.now(),
        )
        return changed > 0

    async def reset_password(self, token_hash: str, hashed: str, now: datetime) -> User | None:
        return await self._user(self._reset, token=token_hash, hashed=hashed, at=instant(now))

    async def put_email_change(
        self,
        user_id: str,
        token_hash: str,
        new_email: EmailAddress,
        expires_at: datetime,
        *,
        token_version: int | None = None,
    ) -> bool:
        changed = await self._db.execute(
            self._put_email_change,
            user=user_id,
            token=token_hash,
            expiry=expires_at,
            address=new_email.address,
            address_key=new_email.key,
            version=token_version,
            at=self._clock.now(),
        )
        return changed > 0

    async def confirm_email_change(self, token_hash: str, now: datetime) -> User | None:
        try:
            return await self._user(self._confirm_email_change, token=token_hash, at=instant(now))
        except UniqueViolation as violation:
            raise UserAlreadyExistsError from violation.__cause__
