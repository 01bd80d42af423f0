"""How the suite opens the shipped backends faster, and sees more, than by their URL alone."""

from __future__ import annotations

import atexit
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from regstack.auth.clock import Clock
from regstack.backends.base import Backend
from regstack.testing.harness import StatementCount, UrlHarness
from regstack.testing.proxy import Address
from tests.servers.databases import MongoDatabases, PostgresDatabases
from tests.servers.mongo import MongoReplicaSet, MongoServer, sent_by_the_driver
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
        self.server, self._databases = self.start_server()
        super().__init__(self.server.url, "postgres")
        self._leave: Callable[[], None] = lambda: None

    def start_server(self) -> tuple[PostgresServer, PostgresDatabases]:
        server = PostgresServer(durable=True, settings=("fsync=off", "full_page_writes=off")).start()
        return server, PostgresDatabases(server.url)

    async def renew(self) -> None:
        self._leave()
        self._enter(self._databases.empty(), self._databases.drop)

    async def fresh(self, clock: Clock) -> None:
        self._leave()
        self._enter(self._databases.migrated(), self._databases.give_back)

    def _enter(self, url: str, leave: Callable[[str], None]) -> None:
        self._url = url
        self._settings = {"database_url": url}
        self._leave = lambda: leave(url)

    def close(self) -> None:
        self._databases.close()
        self.server.close()


class KeptPostgresHarness(PostgresHarness):
    """The same on one server for all runs of a process, which ends with the process."""

    _kept: ClassVar[tuple[PostgresServer, PostgresDatabases] | None] = None

    def start_server(self) -> tuple[PostgresServer, PostgresDatabases]:
        if KeptPostgresHarness._kept is None:
            KeptPostgresHarness._kept = super().start_server()
            atexit.register(KeptPostgresHarness._kept[0].close)
        return KeptPostgresHarness._kept

    def close(self) -> None:
        """Leave the server to the next run."""


class MongoHarness(UrlHarness):
    """A namespace is a set of collections, emptied before each test; the server is its own."""

    make_server: type[MongoReplicaSet | MongoServer] = MongoReplicaSet

    def __init__(self) -> None:
        self.server = self.start_server()
        self._databases = MongoDatabases(self.server.url)
        super().__init__(self.server.url.replace("/?", "/contract?", 1), "mongo")
        self._installed: dict[str, Any] | None = None

    def start_server(self) -> MongoReplicaSet | MongoServer:
        return self.make_server().start()

    async def renew(self) -> None:
        """Leave what was installed once: it is used again, and goes with the server."""
        self._settings = None
        await super().renew()

    async def fresh(self, clock: Clock) -> None:
        if self._installed is None:
            await super().fresh(clock)
            self._installed = self._settings
        self._settings = self._installed or {}
        self._databases.emptied("contract", self._settings["table_prefix"])

    def address(self) -> Address:
        node = self.server.servers[0] if isinstance(self.server, MongoReplicaSet) else self.server
        return Address("127.0.0.1", node.port)

    def settings_through(self, address: Address) -> dict[str, Any]:
        """Connect to the one node directly: a set would name its members' own addresses."""
        url = f"mongodb://{address.host}:{address.port}/contract?directConnection=true"
        return {**(self._settings or {}), "database_url": url}

    def is_upkeep(self, request: bytes) -> bool:
        return sent_by_the_driver(request)

    def close(self) -> None:
        self._databases.close()
        self.server.close()


class KeptMongoHarness(MongoHarness):
    """The same on one server for all runs of a process, which ends with the process."""

    _kept: ClassVar[MongoReplicaSet | MongoServer | None] = None

    def start_server(self) -> MongoReplicaSet | MongoServer:
        if KeptMongoHarness._kept is None:
            KeptMongoHarness._kept = super().start_server()
            atexit.register(KeptMongoHarness._kept.close)
        return KeptMongoHarness._kept

    def close(self) -> None:
        """Leave the server to the next run."""
        self._databases.close()


class StandaloneMongoHarness(MongoHarness):
    """The same on a server without a replica set."""

    make_server = MongoServer
