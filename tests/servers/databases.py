"""Databases on a PostgreSQL server: an empty or a migrated one for each test."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack_postgres.backend import PostgresBackend


class PostgresDatabases:
    """Makes databases ahead of time, in a thread of its own, so that tests seldom wait.

    Args:
        url: of a database on the server whose user may create others.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._thread = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()
        self._template: str | None = None
        self._made: set[str] = set()
        self._next: Future[str] | None = None

    def url_of(self, database: str) -> str:
        """Give the URL of a database."""
        return urlsplit(self._url)._replace(path=f"/{database}").geturl()

    def empty(self) -> str:
        """Make a database without anything; give its URL."""
        return self.url_of(self._submit(self._copy("template1")).result())

    def migrated(self) -> str:
        """Make a database with the schema and nothing else; give its URL."""
        if self._template is None:
            self._template = self._submit(self._migrate()).result()
        try:
            name = (self._next or self._submit(self._copy(self._template))).result()
        except (OSError, asyncpg.PostgresError):  # it was made while a test had killed the server
            name = self._submit(self._copy(self._template)).result()
        self._next = self._submit(self._copy(self._template))
        return self.url_of(name)

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

    async def _drop(self, name: str) -> None:
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.discard(name)
