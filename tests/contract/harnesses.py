"""How the suite opens the shipped backends faster, and sees more, than by their URL alone."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regstack.auth.clock import Clock
from regstack.backends.base import Backend
from regstack.testing.harness import StatementCount, UrlHarness
from tests.servers.databases import PostgresDatabases
from tests.servers.postgres import PostgresServer


class SqliteHarness(UrlHarness):
    """A namespace is a file: a copy of one that was migrated once."""

    def __init__(self) -> None:
        super().__init__("sqlite+aiosqlite:///{tmp}/contract.db", "sqlite")
        assert self._folder is not None
        self._files = Path(self._folder)
        self._template: Path | None = None
        self._file = self._files

    async def renew(self) -> None:
        if self._file.is_file():
            self._file.unlink()
        self._file = self._files / f"{secrets.token_hex(6)}.db"
        self._settings = {"database_url": f"sqlite+aiosqlite:///{self._file}"}

    async def fresh(self, clock: Clock) -> None:
        if self._template is None:
            await super(UrlHarness, self).fresh(clock)
            self._template, self._file = self._file, self._files
        await self.renew()
        shutil.copy(self._template, self._file)

    @contextmanager
    def _counting(self, backend: Any) -> Iterator[StatementCount]:
        count = StatementCount()
        executor = backend.executor
        connect = executor._source.connect
        opened = executor._connections

        def trace(connection: Any) -> Any:
            connection._conn.set_trace_callback(count.statements.append)
            return connection

        async def connect_and_trace() -> Any:
            return trace(await connect())

        for reader in opened._readers:
            trace(reader.connection)
        executor._source.connect = connect_and_trace
        yield count

    def count_statements(self, backend: Backend) -> Any:
        return self._counting(backend)


class PostgresHarness(UrlHarness):
    """A namespace is a database: a copy of one that was migrated once, on a server of its own."""

    def __init__(self) -> None:
        self._server = PostgresServer().start()
        self._databases = PostgresDatabases(self._server.url)
        super().__init__(self._server.url, "postgres")

    def _switch(self, url: str) -> None:
        if self._settings is not None:
            self._databases.drop(self._settings["database_url"])
        self._settings = {"database_url": url}

    async def renew(self) -> None:
        self._switch(self._databases.empty())

    async def open(self, clock: Clock, **settings: Any) -> Backend:
        if self._settings is None:
            await self.renew()
        return self._open({**(self._settings or {}), **settings}, clock)

    async def fresh(self, clock: Clock) -> None:
        self._switch(self._databases.migrated())

    @contextmanager
    def _counting(self, backend: Any) -> Iterator[StatementCount]:
        count = StatementCount()
        source = backend.executor._source
        take = source._take

        async def take_and_log() -> Any:
            connection = await take()
            if connection not in logged:
                connection.add_query_logger(log)
                logged.add(connection)
            return connection

        def log(record: Any) -> None:
            count.statements.append(record.query)

        logged: set[Any] = set()
        source._take = take_and_log
        try:
            yield count
        finally:
            source._take = take
            for connection in logged:
                connection.remove_query_logger(log)

    def count_statements(self, backend: Backend) -> Any:
        return self._counting(backend)

    def close(self) -> None:
        self._databases.close()
        self._server.close()
        super().close()
