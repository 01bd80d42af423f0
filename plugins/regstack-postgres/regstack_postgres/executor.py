"""How statements reach PostgreSQL: a connection each, in autocommit."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import StaticPool
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from regstack.backends.sql.executor import MIGRATION_PATIENCE_SECONDS, Executor, Locked, Transaction
from regstack.backends.sql.idiom import PostgresIdiom
from regstack.errors import BackendError
from regstack_postgres.errors import READ_ONLY, meaning_of, redacted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from regstack.backends.sql.statement import Statement
    from regstack_postgres.source import Source, Use

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_LOCK = "SELECT pg_catalog.pg_advisory_xact_lock($1)"
_MIGRATION_LIMITS = (
    "SET LOCAL statement_timeout = 0; "
    "SET LOCAL idle_in_transaction_session_timeout = 0; "
    f"SET LOCAL lock_timeout = {round(MIGRATION_PATIENCE_SECONDS * 1000)}"
)


class PostgresExecutor(Executor):
    """Sends each statement on a connection of its own, past SQLAlchemy.

    A statement is prepared once for each connection; from then on it is one exchange of messages.
    Statements and transactions leave nothing in a session, so that connections need no reset and
    a pooler may stand before the server.

    Args:
        source: where connections come from.
        timeout: deadline of one operation, in seconds.
        namespace: tells locks of instances with other tables in the same database apart.
    """

    idiom = PostgresIdiom()

    def __init__(self, source: Source, *, timeout: float, namespace: str) -> None:
        super().__init__(asyncpg_dialect(), timeout=timeout)  # type: ignore[no-untyped-call]
        self._source = source
        self._namespace = namespace

    async def raw_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:  # noqa: D102
        connection = await self._source.acquire()
        try:
            rows: Sequence[Sequence[Any]] = await connection.fetch(statement.sql, *arguments)
        except BaseException as error:
            await self._failed(connection, error, outcome_unknown=statement.writes)
            raise
        await self._source.give_back(connection)
        return rows

    async def raw_count(self, statement: Statement, arguments: tuple[Any, ...]) -> int:  # noqa: D102
        connection = await self._source.acquire()
        try:
            status = await connection.execute(statement.sql, *arguments)
        except BaseException as error:
            await self._failed(connection, error, outcome_unknown=statement.writes)
            raise
        await self._source.give_back(connection)
        return _changed(status)

    @asynccontextmanager
    async def raw_transaction(self) -> AsyncIterator[Transaction]:  # noqa: D102
        async with self._begun() as connection:
            yield _PostgresTransaction(connection, self._namespace)

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Any]:
        connection = await self._source.acquire()
        committing = False
        try:
            await connection.execute(_BEGIN)
            yield connection
            committing = not connection.is_closed()  # else COMMIT is not sent
            if await connection.execute("COMMIT") != "COMMIT":
                raise BackendError("the server undid the transaction; its log says why")
        except BaseException as error:
            await self._failed(connection, error, outcome_unknown=committing, in_transaction=True)
            raise
        await self._source.give_back(connection)

    async def _failed(
        self, connection: Any, error: BaseException, *, outcome_unknown: bool, in_transaction: bool = False
    ) -> None:
        """Take the connection back, and raise what the error means if it is the driver's."""
        original: Any = getattr(error, "orig", None) or error
        original = original.__cause__ if original is not error and original.__cause__ else original
        if getattr(original, "sqlstate", None) == READ_ONLY:
            connection.terminate()
            await self._source.expire()
        await self._source.recover(connection, in_transaction=in_transaction)
        seen = meaning_of(original, outcome_unknown=outcome_unknown)
        if seen is not None:
            raise seen from redacted(original)

    @asynccontextmanager
    async def raw_migration(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction for changes of the schema.

        One lock serves the whole database: two prefixes may want to create the same schema, and
        `public` may be named or not.
        """
        try:
            async with self._begun() as connection:
                await connection.execute(_MIGRATION_LIMITS)
                await connection.execute(_LOCK, _lock_key("migration"))
                async with _lent(connection) as lent:
                    yield lent
        except Locked as error:
            raise BackendError(
                "the schema stayed locked by somebody else; look for long transactions in pg_stat_activity"
            ) from error.__cause__

    @asynccontextmanager
    async def raw_inspection(self) -> AsyncIterator[AsyncConnection]:  # noqa: D102
        async with self._begun() as connection, _lent(connection) as lent:
            yield lent

    async def ask(self, sql: str, *arguments: Any) -> Sequence[Any]:
        """Give the one row of a question about the server; asked again where it got no answer."""

        async def once() -> Sequence[Any]:
            connection = await self._source.acquire()
            try:
                row: Sequence[Any] = await connection.fetchrow(sql, *arguments)
            except BaseException as error:
                await self._failed(connection, error, outcome_unknown=False)
                raise
            await self._source.give_back(connection)
            return row

        return await self.within_deadline(once, repeatable=True)

    @property
    def use(self) -> Use | None:
        """How many connections there are; None where that is not known."""
        return self._source.use()

    def translate(self, error: Exception) -> BackendError | None:  # noqa: D102
        original = getattr(error, "orig", None) or error
        return meaning_of(
            original.__cause__ or original if original is not error else error, outcome_unknown=True
        )

    async def aclose(self) -> None:  # noqa: D102
        await self._source.aclose()


class _PostgresTransaction(Transaction):
    def __init__(self, connection: Any, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace

    async def fetch_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = await self._connection.fetch(statement.sql, *arguments)
        return rows

    async def run(self, statement: Statement, arguments: tuple[Any, ...]) -> int:
        return _changed(await self._connection.execute(statement.sql, *arguments))

    async def lock(self, name: str) -> None:
        await self._connection.execute(_LOCK, _lock_key(self._namespace, name))


@asynccontextmanager
async def _lent(connection: Any) -> AsyncIterator[AsyncConnection]:
    """Give a connection to SQLAlchemy, which Alembic and the inspection of a schema need."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - seldom needed

    async def lend(*_arguments: Any, **_options: Any) -> Any:
        return connection

    def connect() -> Any:
        # Nameless statements, since a pooler in transaction mode would keep named ones for others.
        return engine.sync_engine.dialect.dbapi.connect(  # type: ignore[union-attr]
            async_creator_fn=lend, prepared_statement_cache_size=0, prepared_statement_name_func=str
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        creator=connect,
        poolclass=StaticPool,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",  # the transaction is begun and ended here
    )
    lent = await engine.connect()
    try:
        yield lent
    finally:
        await lent.close()
        await engine.dispose(close=False)


def _lock_key(*names: str) -> int:
    digest = hashlib.blake2b("\0".join(("regstack", *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _changed(status: str) -> int:
    """Give the number of rows of a command's status, `UPDATE 3` for example."""
    number = status.rpartition(" ")[2]
    return int(number) if number.isdecimal() else 0
