"""Databases on a server for each test: an empty or a migrated one, new or as good as new."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack_postgres.backend import PostgresBackend

VERSIONS = "regstack_alembic_version"
"""The one table whose rows stay."""

OTHERS_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class PostgresDatabases:
    """Makes databases, and empties those that are given back, in a thread of its own.

    Args:
        url: of a database on the server whose user may create others.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._thread = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()
        self._template: str | None = None
        self._made: set[str] = set()
        self._connections: dict[str, asyncpg.Connection] = {}
        self._given_back: list[Future[str | None]] = []

    def url_of(self, database: str) -> str:
        """Give the URL of a database."""
        return urlsplit(self._url)._replace(path=f"/{database}").geturl()

    def empty(self) -> str:
        """Make a database without anything; give its URL."""
        return self.url_of(self._submit(self._copy("template1")).result())

    def migrated(self, *, new: bool = False) -> str:
        """Give the URL of a database with the schema and nothing else.

        Args:
            new: nobody had it before, so nobody is connected to it and its statistics are empty; else one
                that was given back will do.
        """
        if self._template is None:
            self._template = self._submit(self._migrate()).result()
        while self._given_back and not new:
            if name := self._given_back.pop().result():
                return self.url_of(name)
        return self.url_of(self._submit(self._copy(self._template)).result())

    def give_back(self, url: str) -> None:
        """Empty a database for the next one who asks, which takes a thirtieth of making one.

        Its schema must be as it was.
        """
        self._given_back.append(self._submit(self._emptied(urlsplit(url).path[1:])))

    def drop(self, url: str) -> None:
        """Drop a database, soon, whoever is still connected to it."""
        self._submit(self._drop(urlsplit(url).path[1:]))

    def close(self) -> None:
        """Drop all that is left."""
        for name in sorted(self._made):
            self._submit(self._drop(name))
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return self._thread.submit(self._runner.run, work)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _copy(self, template: str) -> str:
        name = f"t{secrets.token_hex(6)}"
        self._made.add(name)
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    async def _migrate(self) -> str:
        name = await self._copy("template1")
        config = RegStackConfig(database_url=self.url_of(name))
        backend = PostgresBackend(config=config, clock=SystemClock())
        await backend.install_schema()
        await backend.aclose()
        return name

    async def _emptied(self, name: str) -> str | None:
        """End all other sessions and delete all rows; drop a database with which that cannot be done."""
        try:
            if name not in self._connections:
                self._connections[name] = await asyncpg.connect(self.url_of(name))
            connection = self._connections[name]
            await connection.execute(OTHERS_END)
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            names = {str(table["tablename"]) for table in tables} - {VERSIONS}
            await connection.execute("; ".join(f'DELETE FROM "{each}"' for each in sorted(names)))
            if names:
                return name
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # a test killed the server, for example
        with suppress(OSError, asyncpg.PostgresError):
            await self._drop(name)
        return None

    async def _drop(self, name: str) -> None:
        if name in self._connections:
            self._connections.pop(name).terminate()
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.discard(name)


class MongoDatabases:
    """Empties databases on a MongoDB server, since making a new one costs a quarter of a second.

    Args:
        url: of the server, without a database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: MongoClient[dict[str, Any]] = MongoClient(url)

    def emptied(self, name: str, prefix: str = "") -> str:
        """Delete all but indexes and the mark of an installed schema; give the URL of the database.

        Args:
            name: the database's.
            prefix: of the collections.
        """
        hasty = self._client.get_database(name, write_concern=WriteConcern(1))
        for collection in hasty.list_collection_names():
            if collection.startswith(prefix) and not collection.endswith("schema"):
                hasty[collection].delete_many({})
        # A majority that has this, which deletes nothing, has all before it.
        self._client[name]["users"].delete_many({})
        return self._url.replace("/?", f"/{name}?", 1)

    def close(self) -> None:
        """Close the connection; the databases stay."""
        self._client.close()
