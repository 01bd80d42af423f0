"""External identities and authorisation flows of the reference backend."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.errors import OAuthIdentityAlreadyLinkedError, UserAlreadyExistsError, UserNotFoundError
from regstack.models.instant import instant
from regstack.testing.memory.store import drop_expired, drop_where
from regstack.testing.memory.users import MemoryUsers

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack.auth.clock import Clock
    from regstack.models.oauth_identity import OAuthIdentity
    from regstack.models.oauth_state import OAuthState
    from regstack.models.user import User
    from regstack.testing.memory.store import MemoryStore


class MemoryOAuthIdentities:
    """Implements `regstack.backends.protocols.OAuthIdentityRepoProtocol`."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, identity: OAuthIdentity, *, token_version: int | None = None) -> OAuthIdentity:
        identity = _as_stored(identity)
        stored = self._store.identities.get(identity.id)
        if stored is not None:
            return replace(stored)
        user = self._store.users.get(identity.user_id)
        if user is None or token_version not in {None, user.token_version}:
            raise UserNotFoundError
        for other in self._store.identities.values():
            if (other.issuer, other.subject) == (identity.issuer, identity.subject):
                raise OAuthIdentityAlreadyLinkedError
            if (other.user_id, other.provider) == (identity.user_id, identity.provider):
                raise OAuthIdentityAlreadyLinkedError("this account is already linked with this provider")
        self._store.identities[identity.id] = identity
        return replace(identity)

    async def create_with_user(self, user: User, identity: OAuthIdentity) -> User:
        accounts, identity = MemoryUsers(self._store, self._clock), _as_stored(identity)
        stored = await accounts.get_by_id(user.id)
        if stored is not None:
            return stored
        if await accounts.get_by_email(user.email_key) is not None:
            raise UserAlreadyExistsError
        subject = await self.find_by_subject(identity.issuer, identity.subject)
        if subject is not None or identity.id in self._store.identities:
            raise OAuthIdentityAlreadyLinkedError
        created = await accounts.create(user)
        self._store.identities[identity.id] = identity
        return created

    async def find_by_subject(self, issuer: str, subject: str) -> OAuthIdentity | None:
        for identity in self._store.identities.values():
            if (identity.issuer, identity.subject) == (issuer, subject):
                return replace(identity)
        return None

    async def list_for_user(self, user_id: str) -> list[OAuthIdentity]:
        own = [replace(row) for row in self._store.identities.values() if row.user_id == user_id]
        return sorted(own, key=lambda row: (row.linked_at, row.id))

    async def delete(self, user_id: str, provider: str, *, token_version: int | None = None) -> bool:
        user = self._store.users.get(user_id)
        if user is None or token_version not in {None, user.token_version}:
            return False
        this = (user_id, provider)
        return drop_where(self._store.identities, lambda row: (row.user_id, row.provider) == this) > 0

    async def delete_by_user_id(self, user_id: str) -> int:
        return drop_where(self._store.identities, lambda row: row.user_id == user_id)

    async def touch_last_used(self, identity_id: str, when: datetime) -> bool:
        when = instant(when)
        identity = self._store.identities.get(identity_id)
        if identity is None:
            return False
        latest = when if identity.last_used_at is None else max(identity.last_used_at, when)
        self._store.identities[identity_id] = replace(identity, last_used_at=latest)
        return True


class MemoryOAuthStates:
    """Implements `regstack.backends.protocols.OAuthStateRepoProtocol`."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, state: OAuthState) -> bool:
        state = replace(state, created_at=instant(state.created_at), expires_at=instant(state.expires_at))
        if state.linking_user_id is not None and state.linking_user_id not in self._store.users:
            return False
        if state.state_hash in self._store.states:
            return False
        self._store.states[state.state_hash] = state
        return True

    async def find(self, state_hash: str) -> OAuthState | None:
        state = self._store.states.get(state_hash)
        return replace(state) if state is not None and state.expires_at > self._clock.now() else None

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
        now, expires_at = instant(now), instant(expires_at)
        state = self._store.states.get(state_hash)
        if state is None or state.expires_at <= now or state.result_hash is not None:
            return False
        if user_id not in self._store.users:
            return False
        self._store.states[state_hash] = replace(
            state,
            result_hash=result_hash,
            result_user_id=user_id,
            result_token_version=token_version,
            was_new_account=was_new_account,
            expires_at=expires_at,
        )
        return True

    async def consume(self, result_hash: str, now: datetime) -> OAuthState | None:
        now = instant(now)
        for state in self._store.states.values():
            if state.result_hash == result_hash and state.expires_at > now:
                return self._store.states.pop(state.state_hash)
        return None

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        return drop_expired(self._store.states, lambda row: row.expires_at, now, grace, batch)


def _as_stored(identity: OAuthIdentity) -> OAuthIdentity:
    last_used_at = None if identity.last_used_at is None else instant(identity.last_used_at)
    return replace(identity, linked_at=instant(identity.linked_at), last_used_at=last_used_at)
