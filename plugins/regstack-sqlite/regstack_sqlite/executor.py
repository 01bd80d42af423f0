"""How statements reach SQLite: one writer, readers beside it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import StaticPool
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as aiosqlite_dialect

from regstack.backends.sql.executor import MIGRATION_PATIENCE_SECONDS, Executor, Transaction
from regstack.backends.sql.idiom import SqliteIdiom
from regstack.errors import BackendError
from regstack_sqlite.connection import answered
from regstack_sqlite.connections import Connections
from regstack_sqlite.errors import meaning_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

    import aiosqlite
    from sqlalchemy.ext.asyncio import AsyncConnection

    from regstack.backends.sql.statement import Statement
    from regstack_sqlite.connection import Source

T = TypeVar("T")

_MOST_READERS = 4


class SqliteExecutor(Executor):
    """Sends each statement to a connection's thread in one hop.

    All writes go through one held connection, one at a time; a transaction is BEGIN IMMEDIATE,
    which excludes the writers of other processes too. Reads of a file go beside it, on
    connections that are opened as they are needed. A database in memory has one connection for
    both, so reads wait for their turn as well.

    A statement that was handed to a connection's thread runs to its end, also when nobody waits
    for it any more, and whatever is sent later runs after it. So a task that is cancelled waits
    for the write under way, whose outcome is then settled, and a cancelled transaction only has
    to be followed by a ROLLBACK.

    Args:
        source: where connections come from.
        timeout: deadline of one operation, in seconds.
        readers: connections for reads at the most.
    """

    idiom = SqliteIdiom()

    def __init__(self, source: Source, *, timeout: float, readers: int) -> None:
        super().__init__(aiosqlite_dialect(), timeout=timeout)
        self._source = source
        self._most_readers = min(readers, _MOST_READERS)
        self._connections: Connections | None = None

    @property
    def _open(self) -> Connections:
        loop = asyncio.get_running_loop()
        connections = self._connections
        if connections is None or connections.loop is not loop:
            connections = self._connections = Connections(
                self._source, self._most_readers, loop, former=connections
            )
        return connections

    async def raw_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:  # noqa: D102
        connections = self._open
        if statement.writes or self._source.path is None:
            async with connections.lock:
                writer = await connections.writer()
                return list(await _to_the_end(writer, writer.execute_fetchall(statement.sql, arguments)))
        reader = connections.idle_reader() or await connections.reader()
        reader.waiting += 1
        try:
            running = reader.connection.execute_fetchall(statement.sql, arguments)
            return list(await _to_the_end(reader.connection, running))
        finally:
            reader.waiting -= 1

    async def raw_count(self, statement: Statement, arguments: tuple[Any, ...]) -> int:  # noqa: D102
        connections = self._open
        async with connections.lock:
            writer = await connections.writer()
            return (await _to_the_end(writer, writer.execute(statement.sql, arguments))).rowcount

    @asynccontextmanager
    async def raw_transaction(self) -> AsyncIterator[Transaction]:  # noqa: D102
        connections = self._open
        async with connections.exclusively(_roll_back):
            writer = await connections.writer()
            await writer.execute("BEGIN IMMEDIATE")
            yield _SqliteTransaction(writer)
            await writer.execute("COMMIT")

    @asynccontextmanager
    async def raw_migration(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction for changes of the schema.

        Foreign keys are off, since rebuilding a table drops it, and would take the rows that
        refer to it along; the pragma does nothing inside a transaction, so it comes first. They
        are checked before the commit instead.
        """
        connections = self._open
        async with connections.exclusively(_roll_back_migration):
            writer = await self.repeated(connections.writer, repeatable=True)
            async with _lent(writer) as connection:
                await writer.execute("PRAGMA foreign_keys=OFF")
                await self.repeated(
                    lambda: writer.execute("BEGIN IMMEDIATE"),
                    repeatable=True,
                    timeout=MIGRATION_PATIENCE_SECONDS,
                )
                yield connection
                if list(await writer.execute_fetchall("PRAGMA foreign_key_check")):
                    raise BackendError("the migration would leave rows that refer to nothing; it was undone")
                await writer.execute("COMMIT")
                await writer.execute("PRAGMA foreign_keys=ON")

    @asynccontextmanager
    async def raw_inspection(self) -> AsyncIterator[AsyncConnection]:  # noqa: D102
        connections = self._open
        async with connections.exclusively(_roll_back):
            writer = await self.repeated(connections.writer, repeatable=True)
            async with _lent(writer) as connection:
                yield connection
                await writer.rollback()

    def translate(self, error: Exception) -> BackendError | None:  # noqa: D102
        return meaning_of(getattr(error, "orig", None) or error)

    async def aclose(self) -> None:  # noqa: D102
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.aclose()


@asynccontextmanager
async def _lent(writer: aiosqlite.Connection) -> AsyncIterator[AsyncConnection]:
    """Give a connection to SQLAlchemy, which Alembic and the inspection of a schema need."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - seldom needed

    async def lend() -> aiosqlite.Connection:
        return writer

    engine = create_async_engine(
        "sqlite+aiosqlite://", poolclass=StaticPool, pool_reset_on_return=None, async_creator=lend
    )
    connection = await engine.connect()
    try:
        yield connection
    finally:
        await connection.close()
        await engine.dispose(close=False)


async def _to_the_end(connection: aiosqlite.Connection, running: Awaitable[T]) -> T:
    """Wait for a statement; where the task is cancelled, wait all the same, but not for ever.

    What is sent to the connection later runs after the statement, so its answer tells.
    """
    try:
        return await running
    except asyncio.CancelledError:
        with suppress(Exception):
            await answered(lambda: connection.execute("SELECT 1"))
        raise


async def _roll_back(writer: aiosqlite.Connection) -> None:
    await answered(writer.rollback)


async def _roll_back_migration(writer: aiosqlite.Connection) -> None:
    await answered(writer.rollback)
    await answered(lambda: writer.execute("PRAGMA foreign_keys=ON"))


class _SqliteTransaction(Transaction):
    def __init__(self, writer: aiosqlite.Connection) -> None:
        self._writer = writer

    async def fetch_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        return await self._writer.execute_fetchall(statement.sql, arguments)  # type: ignore[return-value]

    async def run(self, statement: Statement, arguments: tuple[Any, ...]) -> int:
        return (await self._writer.execute(statement.sql, arguments)).rowcount

    async def lock(self, name: str) -> None:
        """Do nothing: BEGIN IMMEDIATE excludes every other transaction already."""
