"""The Redis backend itself."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING

from regstack.backends.base import Backend, Capability, PingReport, SchemaReport
from regstack_redis_sample.attempts import RedisAttempts
from regstack_redis_sample.blacklist import RedisBlacklist
from regstack_redis_sample.diagnosis import diagnose, info
from regstack_redis_sample.mfa_codes import RedisMfaCodes
from regstack_redis_sample.oauth_identities import RedisOAuthIdentities
from regstack_redis_sample.oauth_states import RedisOAuthStates
from regstack_redis_sample.pending import RedisPending
from regstack_redis_sample.server import Server
from regstack_redis_sample.users import RedisUsers

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.config.schema import RegStackConfig
    from regstack.models.finding import Finding

REVISION = "1"


class RedisBackend(Backend):
    """Accounts in one Redis, under keys that begin with `table_prefix` and a colon."""

    kind = "redis"
    capabilities = frozenset(
        {Capability.MULTI_PROCESS, Capability.TRANSACTIONS, Capability.MFA_CODES, Capability.OAUTH}
    )

    def __init__(self, *, config: RegStackConfig, clock: Clock) -> None:
        super().__init__(config=config, clock=clock)
        self._server = Server(config)
        # A prefix holds no colon, so none can begin with another one and the colon behind it.
        parts = self._server, config.table_prefix, clock
        self._version_key = f"{config.table_prefix}:schema"
        self.users = RedisUsers(*parts)
        self.pending = RedisPending(*parts)
        self.blacklist = RedisBlacklist(*parts)
        self.attempts = RedisAttempts(*parts)
        self.mfa_codes = RedisMfaCodes(*parts)
        self.oauth_identities = RedisOAuthIdentities(*parts)
        self.oauth_states = RedisOAuthStates(*parts)

    async def install_schema(self) -> SchemaReport:
        """Write down the revision of the keys, where none is written yet."""
        made = await self._server.write("SET", self._version_key, REVISION, "NX")
        revision = await self._server.read("GET", self._version_key)
        return SchemaReport(revision=revision or REVISION, changes=(_CHANGE,) if made else ())

    async def pending_changes(self) -> tuple[str, ...]:
        """Say whether the revision is still to be written."""
        return () if await self._server.read("GET", self._version_key) else (_CHANGE,)

    async def drop_schema(self) -> None:
        """Delete the keys of this prefix, a few at a time."""
        cursor = "0"
        while True:
            cursor, keys = await self._server.read(
                "SCAN", cursor, "MATCH", f"{self.config.table_prefix}:*", "COUNT", 1000
            )
            if keys:
                await self._server.write("UNLINK", *keys)
            if cursor == "0":
                return

    async def diagnose(self) -> tuple[Finding, ...]:
        """Look at role, durability, eviction and clock of the server."""
        return await diagnose(self._server, self.clock)

    async def ping(self) -> PingReport:
        """Ask the server for its version."""
        begun = perf_counter()
        server = await info(self._server, "server")
        round_trip = timedelta(seconds=perf_counter() - begun)
        return PingReport(round_trip=round_trip, server_version=f"Redis {server['redis_version']}")

    async def aclose(self) -> None:
        """Close the connections that were opened in the running event loop."""
        await self._server.aclose()


_CHANGE = f"write down revision {REVISION} of the keys"
