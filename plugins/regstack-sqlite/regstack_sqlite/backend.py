"""The SQLite backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from regstack.backends.base import BackendKind, Capability, PingReport
from regstack.backends.sql.backend import SqlBackend
from regstack.errors import BackendUnavailable
from regstack_sqlite.connection import EngineSource, UrlSource
from regstack_sqlite.executor import SqliteExecutor

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncEngine

    from regstack.backends.sql.executor import Executor

_ALWAYS = frozenset({Capability.TRANSACTIONS, Capability.MFA_CODES, Capability.OAUTH})


class SqliteBackend(SqlBackend):
    """Accounts in one SQLite file, or in memory.

    Attributes:
        path: the file, or None for a database in memory, which other processes cannot see.
    """

    kind = BackendKind.SQLITE
    path: Path | None

    def make_executor(self, engine: AsyncEngine | None) -> Executor:  # noqa: D102
        synchronous = self.config.sqlite_synchronous
        source = (
            UrlSource(self.config.database_url.get_secret_value(), synchronous=synchronous)
            if engine is None
            else EngineSource(engine, synchronous=synchronous)
        )
        self.path = source.path
        self.capabilities = _ALWAYS if self.path is None else _ALWAYS | {Capability.MULTI_PROCESS}
        return SqliteExecutor(
            source, timeout=self.config.db_timeout_seconds, readers=self.config.db_pool_size
        )

    def version_query(self) -> Select[Any]:  # noqa: D102
        return select(func.sqlite_version())

    def schema_name(self) -> None:
        """SQLite has no schemas; `db_schema` is not looked at."""

    async def ping(self) -> PingReport:
        """Read from the database.

        Raises:
            BackendUnavailable: the file cannot be opened, or is gone.
            BackendTimeout: it did not answer within the deadline.
        """
        report = await super().ping()
        if self.path is not None and not self.path.exists():
            raise BackendUnavailable("the database file is gone; restore it, and restart the application")
        return report
