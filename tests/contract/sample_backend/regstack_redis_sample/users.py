"""Accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regstack.errors import LastSuperuserError, UserAlreadyExistsError
from regstack.models.instant import to_milliseconds
from regstack.models.text import search_key
from regstack.models.user import LoginSubject, TokenSubject, User
from regstack_redis_sample.repository import Repository
from regstack_redis_sample.rows import PENDING, USERS, folded, optional

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.models.email_address import EmailAddress

RESET = "reset_hash,reset_expires_at"
CHANGE = "change_hash,change_email,change_email_key,change_expires_at"


class RedisUsers(Repository):
    """Implements `regstack.backends.protocols.UserRepoProtocol`."""

    script_name = "users"

    async def create(self, user: User) -> User:
        answer = await self._change("create", *USERS.write_all(user), *folded(user.full_name))
        return USERS.read(_unless_refused(answer))

    async def create_from_pending(self, token_hash: str, now: datetime) -> User | None:
        # What a new account begins with is core's to say; the script fills in whose it is.
        blank = User.new(id="", email="", email_key="", hashed_password=None, now=now, is_verified=True)
        answer = await self._change(
            "create_from_pending", token_hash, to_milliseconds(now), *USERS.write_all(blank)
        )
        return USERS.read_optional(_unless_refused(answer))

    async def get_by_id(self, user_id: str) -> User | None:
        return USERS.read_optional(await self._server.read("HGETALL", self._key("user", user_id)))

    async def get_by_email(self, email_key: str) -> User | None:
        return USERS.read_optional(await self._read("by_email", email_key))

    async def find_login_subject(self, email_key: str) -> LoginSubject:
        answer = await self._read("login_subject", email_key, self._now())
        kind, row = answer or ("", [])
        return LoginSubject(
            user=USERS.read(row) if kind == "user" else None,
            pending=PENDING.read(row) if kind == "pending" else None,
        )

    async def get_token_subject(
        self, user_id: str, *, jti: str, sid: str | None = None
    ) -> TokenSubject | None:
        answer = await self._read("token_subject", user_id, jti, self._now())
        return TokenSubject(user=USERS.read(answer[0]), revoked=answer[1] == 1) if answer else None

    async def record_login(self, user_id: str, when: datetime) -> bool:
        return await self._did("record_login", user_id, to_milliseconds(when))

    async def rehash_password(self, user_id: str, *, old_hash: str, new_hash: str) -> bool:
        return await self._did("rehash_password", user_id, old_hash, new_hash)

    async def update_profile(self, user_id: str, *, full_name: str | None) -> User | None:
        fields = [*USERS.write(full_name=full_name), *folded(full_name)]
        return await self._set(user_id, "full_name,name_key", fields)

    async def set_second_factor(
        self, user_id: str, phone_number: str | None, *, token_version: int | None = None
    ) -> User | None:
        fields = USERS.write(phone_number=phone_number, is_mfa_enabled=phone_number is not None)
        return await self._set(user_id, "phone_number,is_mfa_enabled", fields, version=token_version)

    async def set_password(
        self, user_id: str, hashed: str | None, *, token_version: int | None = None
    ) -> User | None:
        fields = USERS.write(hashed_password=hashed)
        return await self._set(user_id, "hashed_password", fields, version=token_version, ends=True)

    async def invalidate_tokens(self, user_id: str) -> User | None:
        return await self._set(user_id, "", [], ends=True)

    async def hand_over(self, user_id: str, *, token_version: int) -> User | None:
        return USERS.read_optional(await self._change("hand_over", user_id, token_version, self._now()))

    async def put_reset_token(
        self, user_id: str, token_hash: str, expires_at: datetime, *, token_version: int | None = None
    ) -> bool:
        fields = USERS.write(reset_hash=token_hash, reset_expires_at=expires_at)
        changed = await self._set(user_id, RESET, fields, version=token_version, only="active")
        return changed is not None

    async def reset_password(self, token_hash: str, hashed: str, now: datetime) -> User | None:
        return USERS.read_optional(
            await self._change("reset_password", token_hash, to_milliseconds(now), hashed)
        )

    async def put_email_change(
        self,
        user_id: str,
        token_hash: str,
        new_email: EmailAddress,
        expires_at: datetime,
        *,
        token_version: int | None = None,
    ) -> bool:
        fields = USERS.write(
            change_hash=token_hash,
            change_email=new_email.address,
            change_email_key=new_email.key,
            change_expires_at=expires_at,
        )
        changed = await self._set(user_id, CHANGE, fields, version=token_version, only="active")
        return changed is not None

    async def confirm_email_change(self, token_hash: str, now: datetime) -> User | None:
        answer = await self._change("confirm_email_change", token_hash, to_milliseconds(now))
        return USERS.read_optional(_unless_refused(answer))

    async def set_flags(
        self,
        user_id: str,
        *,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
        token_version: int | None = None,
    ) -> User | None:
        fields = USERS.write(is_active=is_active, is_superuser=is_superuser, is_verified=is_verified)
        return await self._set(user_id, "", fields, version=token_version, ends=is_active is False)

    async def delete(self, user_id: str, *, token_version: int | None = None) -> bool:
        answer = await self._change("delete", user_id, optional(token_version))
        return bool(_unless_refused(answer))

    async def count(
        self,
        *,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> int:
        flags = (_flag(is_active), _flag(is_superuser), _flag(is_verified))
        return int(await self._read("count", search_key(search or ""), *flags))

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
        flags = (_flag(is_active), _flag(is_superuser), _flag(is_verified))
        rows = await self._read("list", search_key(search or ""), after or "", skip, limit, *flags)
        return [USERS.read(row) for row in rows]

    async def _set(
        self,
        user_id: str,
        names: str,
        fields: list[str],
        *,
        version: int | None = None,
        only: str = "",
        ends: bool = False,
    ) -> User | None:
        answer = await self._change(
            "change",
            user_id,
            optional(version),
            only,
            "ends sessions" if ends else "",
            self._now(),
            names,
            *fields,
        )
        return USERS.read_optional(_unless_refused(answer))


def _unless_refused(answer: Any) -> Any:
    if answer == "taken":
        raise UserAlreadyExistsError
    if answer == "last superuser":
        raise LastSuperuserError
    return answer


def _flag(wanted: bool | None) -> str:
    return "" if wanted is None else str(int(wanted))
