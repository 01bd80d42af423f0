"""The MongoDB backend."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from regstack.auth.clock import SystemClock
from regstack.backends.base import Backend, BackendKind, Capability, PingReport
from regstack_mongo.attempts import MongoAttempts
from regstack_mongo.blacklist import MongoBlacklist
from regstack_mongo.changes import MongoChanges
from regstack_mongo.diagnosis import diagnosed
from regstack_mongo.executor import Executor
from regstack_mongo.mfa_codes import MongoMfaCodes
from regstack_mongo.oauth_identities import MongoOAuthIdentities
from regstack_mongo.oauth_states import MongoOAuthStates
from regstack_mongo.pending import MongoPending
from regstack_mongo.schema import Schema
from regstack_mongo.source import ClientSource, UrlSource
from regstack_mongo.users import MongoUsers

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.backends.base import SchemaReport
    from regstack.backends.changes import ChangeFeed
    from regstack.config.schema import RegStackConfig
    from regstack.models.finding import Finding
    from regstack_mongo.connection import Connection
    from regstack_mongo.documents import Documents
    from regstack_mongo.source import Client

_ALWAYS = frozenset({Capability.MULTI_PROCESS, Capability.MFA_CODES, Capability.OAUTH})


class MongoBackend(Backend):
    """Accounts in one database of a MongoDB replica set, or of a single server.

    Args:
        config: the instance's settings.
        clock: where the time comes from.
        client: the host's own client, which `aclose` leaves open; without it, clients are made from
            `config.database_url`.

    Attributes:
        executor: the way to the database.

    Raises:
        ConfigurationError: the URL cannot be read.
    """

    kind = BackendKind.MONGO

    def __init__(self, *, config: RegStackConfig, clock: Clock, client: Client | None = None) -> None:
        super().__init__(config=config, clock=clock)
        self.capabilities = (
            _ALWAYS | {Capability.NATIVE_EXPIRY} if isinstance(clock, SystemClock) else _ALWAYS
        )
        source = UrlSource(config) if client is None else ClientSource(client, config)
        self.executor = Executor(
            source,
            prefix=config.table_prefix,
            timeout=config.db_timeout_seconds,
            connect_timeout=config.db_connect_timeout_seconds,
        )
        parts = (self.executor, clock)
        self.users = MongoUsers(*parts)
        self.pending = MongoPending(*parts)
        self.blacklist = MongoBlacklist(*parts)
        self.attempts = MongoAttempts(*parts)
        self.mfa_codes = MongoMfaCodes(*parts)
        self.oauth_identities = MongoOAuthIdentities(*parts)
        self.oauth_states = MongoOAuthStates(*parts)

    @classmethod
    def from_client(cls, client: Client, *, config: RegStackConfig, clock: Clock) -> Self:
        """Build a backend over a client of the host's.

        Of `config.database_url` nothing is looked at. The database is the client's default one,
        else `mongodb_database`. What the client says of concerns, preferences and time zones does
        not matter; its pool, timeouts and credentials are used.
        """
        return cls(config=config, clock=clock, client=client)

    async def documents(self) -> Documents:
        """Give this instance's documents as Beanie classes, for queries of the host's own.

        They are good on the running event loop, until `aclose`. The first call imports Beanie and
        binds them; regstack itself works without.
        """
        return await self.executor.read(lambda connection: connection.documents())

    async def install_schema(self) -> SchemaReport:  # noqa: D102
        return await Schema(self.executor, self.clock).install()

    async def pending_changes(self) -> tuple[str, ...]:  # noqa: D102
        return await Schema(self.executor, self.clock).pending_changes()

    async def drop_schema(self) -> None:  # noqa: D102
        await Schema(self.executor, self.clock).drop()

    async def diagnose(self) -> tuple[Finding, ...]:  # noqa: D102
        return await self.executor.look(lambda connection: diagnosed(connection, self.clock))

    def change_feed(self) -> ChangeFeed:  # noqa: D102
        return MongoChanges(self.executor, timeout=self.config.db_connect_timeout_seconds)

    async def ping(self) -> PingReport:  # noqa: D102
        async def ping(connection: Connection) -> tuple[float, dict[str, Any]]:
            start = time.perf_counter()
            build = await connection.database.command("buildInfo")
            return time.perf_counter() - start, build

        seconds, build = await self.executor.read(ping, installed=False)
        return PingReport(round_trip=timedelta(seconds=seconds), server_version=str(build["version"]))

    async def aclose(self) -> None:  # noqa: D102
        await self.executor.aclose()
