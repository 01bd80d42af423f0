"""Whom access tokens speak for."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regstack.backends.coalescing import MOST, Coalesced
from regstack.models.user import TokenSubject
from regstack_mongo.user_documents import PROJECTION, UserDocuments, user_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regstack.auth.clock import Clock
    from regstack_mongo.connection import Connection
    from regstack_mongo.executor import Executor
    from regstack_mongo.repository import Raw

    _Asked = tuple[str, str]
    """A user's id and a token's."""

_MORE_THAN_COME = 2 * MOST + 1
"""Documents in a batch of an answer, so that nothing is left on the server for a second round trip."""


class UserTokens(UserDocuments):
    """The part of `UserRepoProtocol` that every authenticated request costs.

    Requests that ask in the same turn of the event loop are answered by one command.
    """

    def __init__(self, db: Executor, clock: Clock) -> None:
        super().__init__(db, clock)
        self._find_token_subject = Coalesced(self._read_one, self._read_several)

    async def get_token_subject(
        self,
        user_id: str,
        *,
        jti: str,
        sid: str | None = None,  # noqa: ARG002 - reserved by the contract
    ) -> TokenSubject | None:
        return await self._find_token_subject((user_id, jti))

    async def _read_one(self, asked: _Asked) -> TokenSubject | None:
        (subject,) = await self._read_several([asked])
        return subject

    async def _read_several(self, asked: Sequence[_Asked]) -> list[TokenSubject | None]:
        """Read accounts, then revocations, in one answer, and put them together here.

        A `$lookup` would look for the revocations once for each account.
        """
        user_ids, jtis = [user for user, _ in asked], [jti for _, jti in asked]
        unexpired = {"_id": {"$in": jtis}, "expires_at": {"$gt": self._clock.now()}}

        async def find(connection: Connection) -> list[Raw]:
            revocations = {"coll": connection.blacklist.name, "pipeline": [{"$match": unexpired}]}
            pipeline: list[dict[str, Any]] = [
                {"$match": {"_id": {"$in": user_ids}}},
                {"$project": PROJECTION},
                {"$unionWith": revocations},
            ]
            cursor = await connection.users.aggregate(pipeline, batchSize=_MORE_THAN_COME)
            return await cursor.to_list()

        rows = await self._db.read(find)
        users = {row["_id"]: user_of(row) for row in rows if "email_key" in row}
        revoked = {row["_id"] for row in rows if "email_key" not in row}
        return [TokenSubject(users[user], jti in revoked) if user in users else None for user, jti in asked]
