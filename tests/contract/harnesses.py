"""How the suite opens the shipped backends faster, and sees more, than by their URL alone."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.monitoring import CommandListener, CommandStartedEvent

from regstack.auth.clock import Clock
from regstack.backends.base import Backend
from regstack.testing.harness import StatementCount, UrlHarness
from tests.servers.mongo import MongoReplicaSet, MongoServer


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


class MongoHarness(UrlHarness):
    """A namespace is a set of collections, emptied before each test; the server is its own."""

    def __init__(self) -> None:
        self._server: MongoReplicaSet | MongoServer = self.server().start()
        super().__init__(_with_database(self._server.url, "contract"), "mongo")
        self._installed: dict[str, Any] | None = None

    def server(self) -> MongoReplicaSet | MongoServer:
        return MongoReplicaSet()

    async def open(self, clock: Clock, **settings: Any) -> Backend:
        if self._settings is None:
            await self.renew()
        return self._open({**(self._settings or {}), **settings}, clock)

    async def fresh(self, clock: Clock) -> None:
        if self._installed is None:
            await super(UrlHarness, self).fresh(clock)
            self._installed = self._settings
            return
        self._settings = self._installed
        with MongoClient[dict[str, Any]](self._server.url) as client:
            database = client["contract"]
            for name in ("users", "pending", "blacklist", "attempts", "oauth_states"):
                database[f"{self._settings['table_prefix']}{name}"].delete_many({})

    def count_statements(self, backend: Backend) -> Any:
        return _mongo_counting(backend)

    def close(self) -> None:
        self._server.close()
        super().close()


class StandaloneMongoHarness(MongoHarness):
    """The same on a server without a replica set."""

    def server(self) -> MongoServer:
        return MongoServer()


class _Counter(CommandListener):
    def __init__(self) -> None:
        self.count = StatementCount()

    def started(self, event: CommandStartedEvent) -> None:
        self.count.statements.append(str(event.command))

    def succeeded(self, event: Any) -> None:
        """What was started is counted already."""

    failed = succeeded


@contextmanager
def _mongo_counting(backend: Any) -> Iterator[StatementCount]:
    """Count by the driver's own events: it reports all but its monitoring and handshakes."""
    counter = _Counter()
    listeners = backend.executor._connection.client._event_listeners
    listeners._EventListeners__command_listeners.append(counter)
    listeners._EventListeners__enabled_for_commands = True
    yield counter.count


def _with_database(url: str, database: str) -> str:
    return url.replace("/?", f"/{database}?", 1)
