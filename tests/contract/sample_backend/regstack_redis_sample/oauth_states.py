"""Authorisation flows under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import to_milliseconds
from regstack_redis_sample.repository import Repository
from regstack_redis_sample.rows import STATES

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack.models.oauth_state import OAuthState


class RedisOAuthStates(Repository):
    """Implements `regstack.backends.protocols.OAuthStateRepoProtocol`."""

    script_name = "oauth_states"

    async def create(self, state: OAuthState) -> bool:
        return await self._did("create", state.state_hash, *STATES.write_all(state))

    async def find(self, state_hash: str) -> OAuthState | None:
        state = STATES.read_optional(await self._server.read("HGETALL", self._key("state", state_hash)))
        return state if state is not None and state.expires_at > self._clock.now() else None

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
        result = STATES.write(
            result_hash=result_hash,
            result_user_id=user_id,
            result_token_version=token_version,
            was_new_account=was_new_account,
            expires_at=expires_at,
        )
        return await self._did("set_result", state_hash, to_milliseconds(now), *result)

    async def consume(self, result_hash: str, now: datetime) -> OAuthState | None:
        return STATES.read_optional(await self._change("consume", result_hash, to_milliseconds(now)))

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return await self._purge(now, grace, batch)
