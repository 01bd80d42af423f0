"""An executor over any SQLAlchemy engine."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import exc

from regstack.backends.sql.executor import Executor, Transaction
from regstack.errors import BackendError, BackendTimeout, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from regstack.backends.sql.statement import Statement

_MIGRATION = "regstack migration"


class EngineExecutor(Executor):
    """Runs statements on connections of an engine's pool.

    Args:
        engine: its dialect has positional parameters, and RETURNING and ON CONFLICT.
        timeout: deadline of one operation, in seconds.
        owned: `aclose` disposes of the engine.
    """

    lock_sql: ClassVar[str | None] = None
    """Takes a lock until the end of the transaction; its one parameter is the lock's name. None
    where a transaction that writes excludes all others from its beginning."""

    def __init__(self, engine: AsyncEngine, *, timeout: float, owned: bool) -> None:
        super().__init__(engine.dialect, timeout=timeout)
        self.engine = engine
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._owned = owned

    async def raw_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:  # noqa: D102
        async with self._autocommit.connect() as connection:
            result = await connection.exec_driver_sql(statement.sql, arguments or None)
            return result.all()

    async def raw_count(self, statement: Statement, arguments: tuple[Any, ...]) -> int:  # noqa: D102
        async with self._autocommit.connect() as connection:
            return (await connection.exec_driver_sql(statement.sql, arguments or None)).rowcount

    @asynccontextmanager
    async def raw_transaction(self) -> AsyncIterator[Transaction]:  # noqa: D102
        async with self.engine.begin() as connection:
            yield _EngineTransaction(connection, self.lock_sql)

    @asynccontextmanager
    async def raw_migration(self) -> AsyncIterator[AsyncConnection]:  # noqa: D102
        async with self.engine.begin() as connection:
            await _EngineTransaction(connection, self.lock_sql).lock(_MIGRATION)
            yield connection

    def translate(self, error: Exception) -> BackendError | None:  # noqa: D102
        if isinstance(error, exc.TimeoutError):
            return BackendTimeout("no connection of the pool became free (db_pool_size)")
        if isinstance(error, exc.DBAPIError):
            known = self.classify(error.orig) if error.orig is not None else None
            if known is None and error.connection_invalidated:
                return BackendUnavailable(outcome_unknown=True)
            return known or BackendError("the database refused the statement")
        if isinstance(error, exc.SQLAlchemyError):
            return BackendError("the statement could not be run")
        if isinstance(error, OSError):
            return BackendUnavailable(
                "the database cannot be reached; is it running, and database_url right?"
            )
        return None

    @abstractmethod
    def classify(self, error: BaseException) -> BackendError | None:
        """Say what the driver's own error means, as `translate` does; None where it says nothing."""

    async def aclose(self) -> None:  # noqa: D102
        if self._owned:
            await self.engine.dispose()


class _EngineTransaction(Transaction):
    def __init__(self, connection: AsyncConnection, lock_sql: str | None) -> None:
        self._connection = connection
        self._lock_sql = lock_sql

    async def fetch_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        return (await self._connection.exec_driver_sql(statement.sql, arguments or None)).all()

    async def run(self, statement: Statement, arguments: tuple[Any, ...]) -> int:
        return (await self._connection.exec_driver_sql(statement.sql, arguments or None)).rowcount

    async def lock(self, name: str) -> None:
        if self._lock_sql is not None:
            await self._connection.exec_driver_sql(self._lock_sql, (name,))
