"""Changes that other processes make, as the replica set itself tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo.errors import OperationFailure, PyMongoError

from regstack.backends.changes import ANYTHING, Change, ChangeFeed
from regstack.errors import BackendError
from regstack_mongo.connection import Connection
from regstack_mongo.errors import meaning_of, redacted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from regstack_mongo.executor import Executor

_ONLY_ON_REPLICA_SETS = 40573
_CHANGED = ["update", "replace", "delete"]
_GONE = ["drop", "rename", "dropDatabase", "invalidate"]


class MongoChanges(ChangeFeed):
    """A change stream over accounts and revoked tokens, on a client of its own.

    Of its own, since a stream keeps a connection busy. The driver takes a stream up again where it
    broke off, so a short fault loses nothing; a single server has no stream.

    Args:
        executor: says where the database is.
        timeout: deadline of the first contact with the server, in seconds.
    """

    def __init__(self, executor: Executor, *, timeout: float) -> None:
        self._executor = executor
        self._timeout = timeout

    async def listen(self) -> AsyncGenerator[Change, None]:  # noqa: D102
        connection = Connection(self._executor.source, self._executor.prefix, timeout=self._timeout)
        try:
            await connection.greet()
            async with await connection.database.watch(_pipeline(connection)) as stream:
                yield ANYTHING
                async for event in stream:
                    yield _read(event, connection)
        except PyMongoError as error:
            if isinstance(error, OperationFailure) and error.code == _ONLY_ON_REPLICA_SETS:
                return
            meaning = meaning_of(error, writes=False, timeout=self._timeout)
            raise meaning or BackendError("the change stream ended") from redacted(error)
        finally:
            await connection.aclose()


def _pipeline(connection: Connection) -> list[dict[str, Any]]:
    """Let the server leave out what no session depends on, and what is stored in the documents."""
    users, blacklist = connection.users.name, connection.blacklist.name
    changes = [
        {"ns.coll": users, "operationType": {"$in": _CHANGED}},
        {"ns.coll": blacklist, "operationType": "insert"},
        {"ns.coll": {"$in": [users, blacklist]}, "operationType": {"$in": _GONE}},
        {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
    ]
    return [{"$match": {"$or": changes}}, {"$project": {"operationType": 1, "ns": 1, "documentKey": 1}}]


def _read(event: Mapping[str, Any], connection: Connection) -> Change:
    if event["operationType"] in _GONE:
        return ANYTHING
    key = event["documentKey"]["_id"]
    is_user = event["ns"]["coll"] == connection.users.name
    return Change(user_id=key) if is_user else Change(jti=key)
