"""Passwords, sessions and mailed tokens of users."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, update

from regstack.backends.sql.executor import UniqueViolation
from regstack.backends.sql.user_rows import UserRows
from regstack.errors import UserAlreadyExistsError
from regstack.models.instant import instant

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables
    from regstack.models.email_address import EmailAddress
    from regstack.models.user import User


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
