"""What each driver costs when it does an operation's work on the wire, and nothing above.

A floor sends the same statement and gives the driver's own rows: no domain value is made of them, no
deadline is kept, no error translated, and nothing is read together with others. `claim` counts within the
open window alone.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

import aiosqlite
import asyncpg
from pymongo import AsyncMongoClient, ReadPreference, ReturnDocument
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from regstack.models.instant import to_milliseconds
from regstack.models.pending import PendingRegistration
from regstack.models.user import User
from regstack_mongo.user_documents import PROJECTION, document_of

if TYPE_CHECKING:
    from bson.codec_options import CodecOptions

CONNECTIONS = 5
"""As many as `db_pool_size` is by default."""


class Floor(Protocol):
    """The operations that are measured, on a bare driver."""

    async def get_by_id(self, user_id: str) -> Any: ...
    async def get_token_subject(self, user_id: str, jti: str, now: datetime) -> Any: ...
    async def find_login_subject(self, email_key: str, now: datetime) -> Any: ...
    async def claim(self, key: str, now: datetime, expires_at: datetime) -> Any: ...
    async def record_login(self, user_id: str, when: datetime) -> Any: ...
    async def revoke(self, jti: str, expires_at: datetime) -> Any: ...
    async def create(self, user: User) -> Any: ...
    async def aclose(self) -> None: ...


_USER = [field.name for field in fields(User)]
_U = ", ".join(f"u.{name}" for name in _USER)
_P = ", ".join(f"p.{field.name}" for field in fields(PendingRegistration))
# ruff: noqa: S608 - names of columns, and no values
_BY_ID = f"SELECT {_U} FROM regstack_users AS u WHERE id = $1"
_SUBJECT = f"""
    SELECT {_U}, EXISTS (SELECT 1 FROM regstack_blacklist WHERE jti = $2 AND expires_at > $3)
    FROM regstack_users AS u WHERE id = $1
"""
_LOGIN = f"""
    SELECT {_U}, {_P} FROM (SELECT 1) AS one LEFT JOIN regstack_users AS u ON u.email_key = $1
    LEFT JOIN regstack_pending AS p ON p.email_key = $1 AND p.expires_at > $2
"""
_CLAIM = """
    INSERT INTO regstack_attempts (key, window_start, count, expires_at) VALUES ($1, $2, 1, $3)
    ON CONFLICT (key) DO UPDATE SET count = regstack_attempts.count + 1 RETURNING count, expires_at
"""
_RECORD = "UPDATE regstack_users SET last_login = $2 WHERE id = $1"
_REVOKE = "INSERT INTO regstack_blacklist (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING"
_CREATE = f"""
    INSERT INTO regstack_users ({", ".join(_USER)}, full_name_key)
    VALUES ({", ".join(f"${number}" for number in range(1, len(_USER) + 2))}) RETURNING {", ".join(_USER)}
"""
_values = attrgetter(*_USER)


class SqlFloor:
    """The same statements for both SQL drivers."""

    async def run(self, sql: str, *arguments: Any) -> Any:
        raise NotImplementedError

    async def get_by_id(self, user_id: str) -> Any:
        return await self.run(_BY_ID, user_id)

    async def get_token_subject(self, user_id: str, jti: str, now: datetime) -> Any:
        return await self.run(_SUBJECT, user_id, jti, now)

    async def find_login_subject(self, email_key: str, now: datetime) -> Any:
        return await self.run(_LOGIN, email_key, now)

    async def claim(self, key: str, now: datetime, expires_at: datetime) -> Any:
        return await self.run(_CLAIM, key, now, expires_at)

    async def record_login(self, user_id: str, when: datetime) -> Any:
        return await self.run(_RECORD, user_id, when)

    async def revoke(self, jti: str, expires_at: datetime) -> Any:
        return await self.run(_REVOKE, jti, expires_at)

    async def create(self, user: User) -> Any:
        return await self.run(_CREATE, *_values(user), "")


class AiosqliteFloor(SqlFloor):
    """One connection, one hop to its thread for each statement."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, path: str) -> AiosqliteFloor:
        connection = await aiosqlite.connect(path, isolation_level=None)
        await connection.execute("PRAGMA synchronous = FULL")
        return cls(connection)

    async def run(self, sql: str, *arguments: Any) -> Any:
        given = [to_milliseconds(each) if isinstance(each, datetime) else each for each in arguments]
        return await self._connection.execute_fetchall(sql.replace("$", "?"), given)

    async def aclose(self) -> None:
        await self._connection.close()


class AsyncpgFloor(SqlFloor):
    """The driver's pool with prepared statements, without the round trip by which it resets connections."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str) -> AsyncpgFloor:
        async def nothing(_connection: Any) -> None:
            return

        return cls(await asyncpg.create_pool(url, min_size=1, max_size=CONNECTIONS, reset=nothing))

    async def run(self, sql: str, *arguments: Any) -> Any:
        return await self._pool.fetch(sql, *arguments)

    async def aclose(self) -> None:
        await self._pool.close()


class PymongoFloor:
    """The driver's collections, with the concerns that the backend has."""

    def __init__(self, url: str) -> None:
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url, maxPoolSize=CONNECTIONS)
        default = self._client.get_default_database()
        options: CodecOptions[dict[str, Any]] = default.codec_options.with_options(tz_aware=True)
        database = default.with_options(
            codec_options=options,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", j=True),
        )
        self._users = database["regstack_users"]
        self._attempts = database["regstack_attempts"]
        self._blacklist = database["regstack_blacklist"]

    async def get_by_id(self, user_id: str) -> Any:
        return await self._users.find_one({"_id": user_id}, PROJECTION)

    async def get_token_subject(self, user_id: str, jti: str, now: datetime) -> Any:
        revoked = [{"$match": {"_id": {"$in": [jti]}, "expires_at": {"$gt": now}}}]
        pipeline: list[dict[str, Any]] = [
            {"$match": {"_id": {"$in": [user_id]}}},
            {"$project": PROJECTION},
            {"$unionWith": {"coll": "regstack_blacklist", "pipeline": revoked}},
        ]
        return await (await self._users.aggregate(pipeline)).to_list()

    async def find_login_subject(self, email_key: str, now: datetime) -> Any:
        waiting = [{"$match": {"_id": email_key, "expires_at": {"$gt": now}, "claimed": {"$exists": False}}}]
        union = {"coll": "regstack_pending", "pipeline": waiting}
        pipeline: list[dict[str, Any]] = [
            {"$match": {"email_key": email_key}},
            {"$project": PROJECTION},
            {"$unionWith": union},
        ]
        return await (await self._users.aggregate(pipeline)).to_list()

    async def claim(self, key: str, now: datetime, expires_at: datetime) -> Any:
        opened = {"window_start": now, "expires_at": expires_at}
        return await self._attempts.find_one_and_update(
            {"_id": key},
            {"$inc": {"count": 1}, "$setOnInsert": opened},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )

    async def record_login(self, user_id: str, when: datetime) -> Any:
        return await self._users.update_one({"_id": user_id}, {"$max": {"last_login": when}})

    async def revoke(self, jti: str, expires_at: datetime) -> Any:
        return await self._blacklist.insert_one({"_id": jti, "expires_at": expires_at})

    async def create(self, user: User) -> Any:
        return await self._users.insert_one(document_of(user))

    async def aclose(self) -> None:
        await self._client.close()
