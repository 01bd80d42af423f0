"""External identities linked to accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.errors import OAuthIdentityAlreadyLinkedError, UserAlreadyExistsError, UserNotFoundError
from regstack.models.instant import to_milliseconds
from regstack_redis_sample.repository import Repository
from regstack_redis_sample.rows import IDENTITIES, USERS, folded, optional

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.models.oauth_identity import OAuthIdentity
    from regstack.models.user import User


class RedisOAuthIdentities(Repository):
    """Implements `regstack.backends.protocols.OAuthIdentityRepoProtocol`."""

    script_name = "oauth_identities"

    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        answer = await self._change("create", optional(token_version), *IDENTITIES.write_all(identity))
        if answer == "no user":
            raise UserNotFoundError
        if answer == "taken":
            raise OAuthIdentityAlreadyLinkedError
        if answer == "linked":
            raise OAuthIdentityAlreadyLinkedError("this account is already linked with this provider")
        return IDENTITIES.read(answer)

    async def create_with_user(self, user: User, identity: OAuthIdentity) -> User:
        account = [*USERS.write_all(user), *folded(user.full_name)]
        answer = await self._change(
            "create_with_user", len(account), *account, *IDENTITIES.write_all(identity)
        )
        if answer == "taken":
            raise UserAlreadyExistsError
        if answer == "linked":
            raise OAuthIdentityAlreadyLinkedError
        return USERS.read(answer)

    async def find_by_subject(self, issuer: str, subject: str) -> OAuthIdentity | None:
        return IDENTITIES.read_optional(await self._read("find_by_subject", issuer, subject))

    async def list_for_user(self, user_id: str) -> list[OAuthIdentity]:
        rows = [IDENTITIES.read(row) for row in await self._read("list_for_user", user_id)]
        return sorted(rows, key=lambda row: (row.linked_at, row.id))

    async def delete(self, user_id: str, provider: str, *, token_version: int | None = None) -> bool:
        return await self._did("delete", user_id, provider, optional(token_version))

    async def delete_by_user_id(self, user_id: str) -> int:
        return int(await self._change("delete_by_user_id", user_id))

    async def touch_last_used(self, identity_id: str, when: datetime) -> bool:
        return await self._did("touch_last_used", identity_id, to_milliseconds(when))
