"""The PostgreSQL backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from regstack.backends.base import BackendKind, Capability
from regstack.backends.sql.backend import SqlBackend
from regstack_postgres.address import Address
from regstack_postgres.changes import PostgresChanges
from regstack_postgres.diagnosis import diagnose
from regstack_postgres.executor import PostgresExecutor
from regstack_postgres.source import EngineSource, PoolSource

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncEngine

    from regstack.backends.changes import ChangeFeed
    from regstack.models.finding import Finding


class PostgresBackend(SqlBackend):
    """Accounts in a PostgreSQL database."""

    kind = BackendKind.POSTGRES
    capabilities = frozenset(
        {Capability.MULTI_PROCESS, Capability.TRANSACTIONS, Capability.MFA_CODES, Capability.OAUTH}
    )
    executor: PostgresExecutor

    def make_executor(self, engine: AsyncEngine | None) -> PostgresExecutor:  # noqa: D102
        config = self.config
        source = (
            PoolSource(
                Address.parse(config.database_url.get_secret_value()),
                size=config.db_pool_size,
                connect_timeout=config.db_connect_timeout_seconds,
                statement_timeout=config.db_timeout_seconds,
                statement_cache_size=config.postgres_statement_cache_size,
            )
            if engine is None
            else EngineSource(engine)
        )
        return PostgresExecutor(
            source,
            timeout=config.db_timeout_seconds,
            # Not the schema: one may be written in several ways, or come from the search path.
            namespace=config.table_prefix,
        )

    def change_feed(self) -> ChangeFeed | None:
        """Give the notices of the database; None without `db_notify_url`."""
        url = self.config.db_notify_url
        return PostgresChanges(url.get_secret_value(), self.executor, self.config) if url else None

    async def diagnose(self) -> tuple[Finding, ...]:
        """Look at role, clock, encoding, durability, replication, connections and schema.

        Raises:
            BackendError: the server cannot be asked.
        """
        return (*await diagnose(self.executor, self.clock), *await super().diagnose())

    def version_query(self) -> Select[Any]:  # noqa: D102
        return select(func.current_setting("server_version"))
