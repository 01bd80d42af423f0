"""Connections to one SQLite database."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as aiosqlite_dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from regstack.errors import BackendUnavailable, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_OLDEST_SQLITE = (3, 35)
_ROWS_AT_ONCE = 64
_BUSY_TIMEOUT_MILLISECONDS = 50
_PATIENCE_SECONDS = 1.0


class Source(ABC):
    """Where connections come from.

    Args:
        url: says which database.
        synchronous: `FULL` or `NORMAL`.

    Attributes:
        path: the database file, or None for a database in memory.
    """

    def __init__(self, url: URL, *, synchronous: str) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old: regstack needs 3.35 or newer (2021); "
                "use a newer Python build"
            )
        self.path = _file(url)
        self._synchronous = synchronous

    async def connect(self) -> aiosqlite.Connection:
        """Open a connection that is ready for use, in autocommit."""
        connection = await self._open()
        try:
            await self._set_up(connection)
        except BaseException:
            await self.abandon(connection)
            raise
        return connection

    @abstractmethod
    async def _open(self) -> aiosqlite.Connection:
        """Open a connection in autocommit."""

    async def close(self, connection: aiosqlite.Connection) -> None:
        """Close a connection, or give it back."""
        await connection.close()

    async def abandon(self, connection: aiosqlite.Connection) -> None:
        """Close a connection in whatever state it is.

        Its thread is dead where its event loop was closed in the middle of a statement.
        """
        if connection._thread.is_alive():  # noqa: SLF001
            with suppress(Exception):
                await answered(connection.close)
        elif connection._connection is not None:  # noqa: SLF001
            connection._connection.close()  # noqa: SLF001
            connection._connection = None  # noqa: SLF001

    async def _set_up(self, connection: aiosqlite.Connection) -> None:
        await connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MILLISECONDS}")
        await connection.execute("PRAGMA foreign_keys=ON")
        if self.path is None:
            return
        ((mode,),) = await connection.execute_fetchall("PRAGMA journal_mode")
        if mode != "wal":
            ((mode,),) = await connection.execute_fetchall("PRAGMA journal_mode=WAL")
            if mode != "wal":
                raise ConfigurationError(
                    "SQLite cannot keep a write-ahead log beside the database file; "
                    "put the file on a local disk"
                )
        await connection.execute(f"PRAGMA synchronous={self._synchronous}")


class UrlSource(Source):
    """Opens connections of its own.

    Args:
        url: `sqlite:///…` or `sqlite+aiosqlite:///…`.
        synchronous: `FULL` or `NORMAL`.

    Raises:
        ConfigurationError: the URL cannot be read.
    """

    def __init__(self, url: str, *, synchronous: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ConfigurationError(
                "database_url is not a URL; write for example sqlite+aiosqlite:///./regstack.db"
            ) from None
        super().__init__(parsed, synchronous=synchronous)
        self.dialect = aiosqlite_dialect()
        (arguments, self._options) = self.dialect.create_connect_args(parsed)
        self._database = arguments[0]
        self._options.update(isolation_level=None, check_same_thread=False)

    async def _open(self) -> aiosqlite.Connection:
        if self.path is not None and not self.path.parent.is_dir():
            raise BackendUnavailable(
                f"the folder {str(self.path.parent)!r} of the database file does not exist; "
                "create it, or correct database_url"
            )
        if self.path is not None and not self._options.get("uri"):
            with suppress(OSError):  # SQLite says better what is wrong with the path
                self.path.touch(mode=0o600)  # addresses and hashes are for the owner's eyes alone
        opened: list[sqlite3.Connection] = []

        def connect() -> sqlite3.Connection:
            opened.append(sqlite3.connect(self._database, **self._options))
            return opened[-1]

        connection = aiosqlite.Connection(connect, _ROWS_AT_ONCE)
        connection._thread.daemon = True  # noqa: SLF001 - a forgotten `aclose` must not keep the process alive
        try:
            return await connection
        except BaseException:
            # The thread was told to stop, and must have done so before its event loop is closed.
            await answered(lambda: asyncio.to_thread(connection._thread.join, _PATIENCE_SECONDS))  # noqa: SLF001
            for late in opened:  # whoever waited for it is gone
                late.close()
            raise


class EngineSource(Source):
    """Takes connections from a host's own engine, and gives them back in the end.

    The writer and each reader stay with regstack until `close`, so the engine's pool must have
    room for them.
    """

    def __init__(self, engine: AsyncEngine, *, synchronous: str) -> None:
        super().__init__(engine.url, synchronous=synchronous)
        self._engine = engine
        self._borrowed: dict[aiosqlite.Connection, AsyncConnection] = {}

    async def _open(self) -> aiosqlite.Connection:
        lender = await self._engine.connect()
        try:
            await lender.execution_options(isolation_level="AUTOCOMMIT")
            connection = (await lender.get_raw_connection()).driver_connection
        except BaseException:
            await lender.close()
            raise
        if not isinstance(connection, aiosqlite.Connection):
            await lender.close()
            raise ConfigurationError("the engine must use the driver aiosqlite (sqlite+aiosqlite://…)")
        self._borrowed[connection] = lender
        return connection

    async def close(self, connection: aiosqlite.Connection) -> None:  # noqa: D102
        await self._borrowed.pop(connection).close()

    async def abandon(self, connection: aiosqlite.Connection) -> None:  # noqa: D102
        self._borrowed.pop(connection, None)
        await super().abandon(connection)


async def answered(send: Callable[[], Awaitable[object]]) -> None:
    """Send until an answer comes, however often the task is cancelled meanwhile.

    An event loop that is closed before a connection has answered ends the connection's thread.
    """
    until = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        try:
            async with asyncio.timeout_at(until):
                await send()
        except asyncio.CancelledError:
            continue
        return


def _file(url: URL) -> Path | None:
    database = url.database or ":memory:"
    if database == ":memory:" or "mode=memory" in database or url.query.get("mode") == "memory":
        return None
    if database.startswith("file:"):
        database = database.removeprefix("file:").partition("?")[0]
        if database == ":memory:":
            return None
    return Path(database).absolute()
