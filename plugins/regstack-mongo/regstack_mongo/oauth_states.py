"""Authorisation flows under way.

A flow belongs to a user in another collection. Whoever writes a flow asks for the user afterwards
and takes it back where there is none; deleting a user takes the user first and the flows then. One
of the two sees what the other did, in whatever order they come. A flow that a crash leaves behind
is invisible, and goes when it has expired.
"""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from pymongo.errors import DuplicateKeyError

from regstack.models.instant import instant
from regstack.models.oauth_state import OAuthState
from regstack_mongo.repository import ExpiringRepository

if TYPE_CHECKING:
    from datetime import datetime

    from regstack_mongo.connection import Connection
    from regstack_mongo.repository import Raw


class MongoOAuthStates(ExpiringRepository):
    """Implements `regstack.backends.protocols.OAuthStateRepoProtocol`."""

    collection = "oauth_states"

    async def create(self, state: OAuthState) -> bool:
        row: Raw = {
            "_id": state.state_hash,
            "provider": state.provider,
            "browser_hash": state.browser_hash,
            "redirect_to": state.redirect_to,
            "linking_user_id": state.linking_user_id,
            "created_at": instant(state.created_at),
            "expires_at": instant(state.expires_at),
            "result_user_id": state.result_user_id,
            "result_token_version": state.result_token_version,
            "was_new_account": state.was_new_account,
        }
        if state.result_hash is not None:
            row["result_hash"] = state.result_hash

        async def store(connection: Connection) -> bool:
            try:
                await connection.oauth_states.insert_one(row)
            except DuplicateKeyError:
                return False
            if await _users_live(connection, row):
                return True
            await connection.oauth_states.delete_one({"_id": row["_id"]})
            return False

        return await self._db.write(store, several=True)

    async def find(self, state_hash: str) -> OAuthState | None:
        query = {"_id": state_hash, "expires_at": {"$gt": self._clock.now()}}

        async def find(connection: Connection) -> Raw | None:
            row: Raw | None = await connection.oauth_states.find_one(query)
            return row if row is not None and await _users_live(connection, row) else None

        row = await self._db.read(find)
        return _state(row) if row is not None else None

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
        values = {
            "result_hash": result_hash,
            "result_user_id": user_id,
            "result_token_version": token_version,
            "was_new_account": was_new_account,
            "expires_at": instant(expires_at),
        }
        guarded = {
            "_id": state_hash,
            "expires_at": {"$gt": instant(now)},
            "result_hash": {"$exists": False},
        }

        async def store(connection: Connection) -> bool:
            if not await _users_live(connection, values):
                return False
            try:
                result = await connection.oauth_states.update_one(guarded, {"$set": values})
            except DuplicateKeyError:
                return False
            if result.matched_count == 0:
                return False
            if await _users_live(connection, values):
                return True
            await connection.oauth_states.delete_one({"_id": state_hash, "result_hash": result_hash})
            return False

        return await self._db.write(store, several=True)

    async def consume(self, result_hash: str, now: datetime) -> OAuthState | None:
        query = {"result_hash": result_hash, "expires_at": {"$gt": instant(now)}}

        async def consume(connection: Connection) -> Raw | None:
            row: Raw | None = await connection.oauth_states.find_one_and_delete(query)
            return row if row is not None and await _users_live(connection, row) else None

        row = await self._db.write(consume, several=True)
        return _state(row) if row is not None else None


async def _users_live(connection: Connection, row: Raw) -> bool:
    named = {row.get("linking_user_id"), row["result_user_id"]} - {None}
    for user_id in named:
        if await connection.users.find_one({"_id": user_id}, {"_id": 1}) is None:
            return False
    return True


def _state(raw: Raw) -> OAuthState:
    return OAuthState(
        state_hash=raw["_id"],
        provider=raw["provider"],
        browser_hash=raw["browser_hash"],
        redirect_to=raw["redirect_to"],
        linking_user_id=raw["linking_user_id"],
        created_at=raw["created_at"],
        expires_at=raw["expires_at"],
        result_hash=raw.get("result_hash"),
        result_user_id=raw["result_user_id"],
        result_token_version=raw["result_token_version"],
        was_new_account=raw["was_new_account"],
    )
