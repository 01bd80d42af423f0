"""Accounts of the reference backend."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regstack.errors import LastSuperuserError, UserAlreadyExistsError
from regstack.models.instant import instant
from regstack.models.text import search_key
from regstack.models.user import LoginSubject, TokenSubject, User
from regstack.testing.memory.store import EmailChange, ResetToken, drop_where

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from regstack.auth.clock import Clock
    from regstack.models.email_address import EmailAddress
    from regstack.testing.memory.store import MemoryStore


class MemoryUsers:
    """Implements `regstack.backends.protocols.UserRepoProtocol`."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, user: User) -> User:
        stored = self._store.users.get(user.id)
        if stored is not None:
            return replace(stored)
        if self._holder(user.email_key) is not None:
            raise UserAlreadyExistsError
        stored = self._store.users[user.id] = replace(
            user,
            created_at=instant(user.created_at),
            updated_at=instant(user.updated_at),
            last_login=_optional(user.last_login),
            tokens_invalidated_after=_optional(user.tokens_invalidated_after),
        )
        return replace(stored)

    async def create_from_pending(self, token_hash: str, now: datetime) -> User | None:
        now = instant(now)
        row = next((row for row in self._store.pending.values() if row.token_hash == token_hash), None)
        if row is None or row.expires_at <= now:
            return None
        del self._store.pending[row.email_key]
        known = self._store.users.get(row.user_id)
        if known is not None and known.email_key == row.email_key:
            return replace(known) if known.is_verified else self._end_sessions(known, now, is_verified=True)
        if row.for_account:
            return None
        if known is not None or self._holder(row.email_key) is not None:
            raise UserAlreadyExistsError
        user = self._store.users[row.user_id] = User.new(
            id=row.user_id,
            email=row.email,
            email_key=row.email_key,
            hashed_password=row.hashed_password,
            now=now,
            full_name=row.full_name,
            is_verified=True,
        )
        return replace(user)

    async def get_by_id(self, user_id: str) -> User | None:
        user = self._store.users.get(user_id)
        return replace(user) if user is not None else None

    async def get_by_email(self, email_key: str) -> User | None:
        user = self._holder(email_key)
        return replace(user) if user is not None else None

    async def find_login_subject(self, email_key: str) -> LoginSubject:
        user = self._holder(email_key)
        if user is not None:
            return LoginSubject(user=replace(user), pending=None)
        row = self._store.pending.get(email_key)
        if row is None or row.expires_at <= self._clock.now():
            return LoginSubject(user=None, pending=None)
        return LoginSubject(user=None, pending=replace(row))

    async def get_token_subject(
        self,
        user_id: str,
        *,
        jti: str,
        sid: str | None = None,
    ) -> TokenSubject | None:
        user = self._store.users.get(user_id)
        if user is None:
            return None
        exp = self._store.revocations.get(jti)
        return TokenSubject(user=replace(user), revoked=exp is not None and exp > self._clock.now())

    async def record_login(self, user_id: str, when: datetime) -> bool:
        when = instant(when)
        user = self._store.users.get(user_id)
        if user is None:
            return False
        latest = when if user.last_login is None else max(user.last_login, when)
        self._store.users[user_id] = replace(user, last_login=latest)
        return True

    async def rehash_password(self, user_id: str, *, old_hash: str, new_hash: str) -> bool:
        user = self._store.users.get(user_id)
        if user is None or user.hashed_password != old_hash:
            return False
        self._store.users[user_id] = replace(user, hashed_password=new_hash)
        return True

    async def update_profile(self, user_id: str, *, full_name: str | None) -> User | None:
        user = self._store.users.get(user_id)
        return self._change(user, self._clock.now(), full_name=full_name) if user is not None else None

    async def set_second_factor(
        self, user_id: str, phone_number: str | None, *, token_version: int | None = None
    ) -> User | None:
        user = self._at_version(user_id, token_version)
        if user is None:
            return None
        return self._change(
            user, self._clock.now(), phone_number=phone_number, is_mfa_enabled=phone_number is not None
        )

    async def set_password(
        self, user_id: str, hashed: str | None, *, token_version: int | None = None
    ) -> User | None:
        user = self._at_version(user_id, token_version)
        if user is None:
            return None
        return self._end_sessions(user, self._clock.now(), hashed_password=hashed)

    async def invalidate_tokens(self, user_id: str) -> User | None:
        user = self._store.users.get(user_id)
        return self._end_sessions(user, self._clock.now()) if user is not None else None

    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        user = self._at_version(user_id, token_version)
        if user is None or user.is_verified:
            return None
        drop_where(self._store.identities, lambda row: row.user_id == user_id)
        drop_where(self._store.mfa_codes, lambda row: row.user_id == user_id)
        return self._end_sessions(
            user,
            self._clock.now(),
            hashed_password=None,
            phone_number=None,
            is_mfa_enabled=False,
            is_verified=True,
        )

    async def put_reset_token(
        self, user_id: str, token_hash: str, expires_at: datetime, *, token_version: int | None = None
    ) -> bool:
        expires_at = instant(expires_at)
        user = self._at_version(user_id, token_version)
        if user is None or not user.is_active:
            return False
        self._store.reset_tokens[user_id] = ResetToken(token_hash, expires_at)
        self._change(user, self._clock.now())
        return True

    async def reset_password(self, token_hash: str, hashed: str, now: datetime) -> User | None:
        now = instant(now)
        for user_id, token in self._store.reset_tokens.items():
            if token.token_hash == token_hash and token.expires_at > now:
                return self._end_sessions(self._store.users[user_id], now, hashed_password=hashed)
        return None

    async def put_email_change(
        self,
        user_id: str,
        token_hash: str,
        new_email: EmailAddress,
        expires_at: datetime,
        *,
        token_version: int | None = None,
    ) -> bool:
        expires_at = instant(expires_at)
        user = self._at_version(user_id, token_version)
        if user is None or not user.is_active:
            return False
        self._store.email_changes[user_id] = EmailChange(token_hash, new_email, expires_at)
        self._change(user, self._clock.now())
        return True

    async def confirm_email_change(self, token_hash: str, now: datetime) -> User | None:
        now = instant(now)
        found = [
            (user_id, change)
            for user_id, change in self._store.email_changes.items()
            if change.token_hash == token_hash and change.expires_at > now
        ]
        if not found:
            return None
        ((user_id, change),) = found
        holder = self._holder(change.new_email.key)
        if holder is not None and holder.id != user_id:
            raise UserAlreadyExistsError
        return self._end_sessions(
            self._store.users[user_id],
            now,
            email=change.new_email.address,
            email_key=change.new_email.key,
            is_verified=True,
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
        user = self._at_version(user_id, token_version)
        if user is None:
            return None
        if is_active is False or is_superuser is False:
            self._refuse_last_superuser(user)
        given = {"is_active": is_active, "is_superuser": is_superuser, "is_verified": is_verified}
        flags = {name: value for name, value in given.items() if value is not None}
        change = self._end_sessions if is_active is False else self._change
        return change(user, self._clock.now(), **flags)

    async def delete(self, user_id: str, *, token_version: int | None = None) -> bool:
        user = self._at_version(user_id, token_version)
        if user is None:
            return False
        self._refuse_last_superuser(user)
        del self._store.users[user_id]
        self._store.reset_tokens.pop(user_id, None)
        self._store.email_changes.pop(user_id, None)
        drop_where(self._store.pending, lambda row: row.user_id == user_id)
        drop_where(self._store.mfa_codes, lambda row: row.user_id == user_id)
        drop_where(self._store.identities, lambda row: row.user_id == user_id)
        drop_where(self._store.states, lambda row: user_id in {row.linking_user_id, row.result_user_id})
        return True

    async def count(
        self,
        *,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> int:
        return len(self._matching(search, is_active, is_superuser, is_verified))

    async def list_page(
        self,
        *,
        limit: int,
        after: str | None = None,
        skip: int = 0,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> list[User]:
        users = self._matching(search, is_active, is_superuser, is_verified)
        users = [user for user in users if after is None or user.id > after]
        return [replace(user) for user in users[skip : skip + limit]]

    def _at_version(self, user_id: str, token_version: int | None) -> User | None:
        user = self._store.users.get(user_id)
        same = user is not None and token_version in {None, user.token_version}
        return user if same else None

    def _holder(self, email_key: str) -> User | None:
        return next((user for user in self._store.users.values() if user.email_key == email_key), None)

    def _change(self, user: User, now: datetime, **changes: Any) -> User:
        changed = self._store.users[user.id] = replace(user, updated_at=now, **changes)
        return replace(changed)

    def _end_sessions(self, user: User, now: datetime, **changes: Any) -> User:
        self._store.reset_tokens.pop(user.id, None)
        self._store.email_changes.pop(user.id, None)
        return self._change(
            user, now, token_version=user.token_version + 1, tokens_invalidated_after=now, **changes
        )

    def _refuse_last_superuser(self, user: User) -> None:
        holders = [other.id for other in self._store.users.values() if other.is_active and other.is_superuser]
        if holders == [user.id]:
            raise LastSuperuserError

    def _matching(
        self, search: str | None, is_active: bool | None, is_superuser: bool | None, is_verified: bool | None
    ) -> list[User]:
        prefix = search_key(search) if search is not None else ""
        return [
            user
            for _, user in sorted(self._store.users.items())
            if user.email_key.startswith(prefix) or search_key(user.full_name or "").startswith(prefix)
            if is_active is None or user.is_active is is_active
            if is_superuser is None or user.is_superuser is is_superuser
            if is_verified is None or user.is_verified is is_verified
        ]


def _optional(value: datetime | None) -> datetime | None:
    return None if value is None else instant(value)
