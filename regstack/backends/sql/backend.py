"""A backend made of the kit."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from regstack.backends.base import Backend, PingReport, SchemaReport
from regstack.backends.sql.attempts import SqlAttempts
from regstack.backends.sql.blacklist import SqlBlacklist
from regstack.backends.sql.drift import drift
from regstack.backends.sql.mfa_codes import SqlMfaCodes
from regstack.backends.sql.oauth_identities import SqlOAuthIdentities
from regstack.backends.sql.oauth_states import SqlOAuthStates
from regstack.backends.sql.pending import SqlPending
from regstack.backends.sql.schema import SCRIPTS, Schema
from regstack.backends.sql.tables import Tables
from regstack.backends.sql.users import SqlUsers

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncEngine

    from regstack.auth.clock import Clock
    from regstack.backends.sql.executor import Executor
    from regstack.config.schema import RegStackConfig
    from regstack.models.finding import Finding


class SqlBackend(Backend):
    """Wires executor, tables and repositories together.

    A subclass states `kind` and `capabilities`, makes the executor, and says how to ask the
    server for its version.

    Args:
        config: the instance's settings.
        clock: where the time comes from.
        engine: the host's own engine, which `aclose` leaves open; without it, connections are
            made from `config.database_url`.

    Attributes:
        executor: the way to the database.
        tables: under the instance's prefix and schema.
        scripts: the Alembic folder that `install_schema` runs.
    """

    scripts: Path = SCRIPTS

    def __init__(self, *, config: RegStackConfig, clock: Clock, engine: AsyncEngine | None = None) -> None:
        super().__init__(config=config, clock=clock)
        self.executor = self.make_executor(engine)
        self.tables = Tables(config.table_prefix, self.schema_name(), dialect=self.executor.dialect.name)
        self._version = self.executor.prepare(self.version_query())
        parts = (self.executor, self.tables, clock)
        self.users = SqlUsers(*parts)
        self.pending = SqlPending(*parts)
        self.blacklist = SqlBlacklist(*parts)
        self.attempts = SqlAttempts(*parts)
        self.mfa_codes = SqlMfaCodes(*parts)
        self.oauth_identities = SqlOAuthIdentities(*parts)
        self.oauth_states = SqlOAuthStates(*parts)

    @classmethod
    def from_engine(cls, engine: AsyncEngine, *, config: RegStackConfig, clock: Clock) -> Self:
        """Build a backend over an engine of the host's; `config.database_url` is not looked at."""
        return cls(config=config, clock=clock, engine=engine)

    @abstractmethod
    def make_executor(self, engine: AsyncEngine | None) -> Executor:
        """Make the executor, without I/O, over the host's engine or one of the backend's own."""

    @abstractmethod
    def version_query(self) -> Select[Any]:
        """Give the SELECT of the server's version, one row of one column."""

    def schema_name(self) -> str | None:
        """Give the SQL schema of the tables; None where the server knows none."""
        return self.config.db_schema

    async def install_schema(self) -> SchemaReport:  # noqa: D102
        return await Schema(self.executor, self.tables, self.scripts).install()

    async def pending_changes(self) -> tuple[str, ...]:  # noqa: D102
        return await Schema(self.executor, self.tables, self.scripts).pending_changes()

    async def drop_schema(self) -> None:  # noqa: D102
        await Schema(self.executor, self.tables, self.scripts).drop()

    async def diagnose(self) -> tuple[Finding, ...]:
        """Look for parts of the schema that somebody took away.

        A schema that was never installed, or is not up to date, is `pending_changes`' to tell.
        """
        if await self.pending_changes():
            return ()
        async with self.executor.inspection() as connection:
            return (await connection.run_sync(drift, self.tables),)

    async def ping(self) -> PingReport:  # noqa: D102
        start = time.perf_counter()
        row = await self.executor.fetch_one(self._version)
        return PingReport(
            round_trip=timedelta(seconds=time.perf_counter() - start),
            server_version=str(row[0]) if row is not None else "",
        )

    async def aclose(self) -> None:  # noqa: D102
        await self.executor.aclose()
