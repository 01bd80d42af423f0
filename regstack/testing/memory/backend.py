"""The reference backend itself."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.backends.base import Backend, Capability, PingReport, SchemaReport
from regstack.testing.memory.attempts import MemoryAttempts
from regstack.testing.memory.blacklist import MemoryBlacklist
from regstack.testing.memory.mfa_codes import MemoryMfaCodes
from regstack.testing.memory.oauth import MemoryOAuthIdentities, MemoryOAuthStates
from regstack.testing.memory.pending import MemoryPending
from regstack.testing.memory.store import MemoryStore
from regstack.testing.memory.users import MemoryUsers

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.config.schema import RegStackConfig

REVISION = "1"


class MemoryBackend(Backend):
    """Keeps everything in a `MemoryStore` and forgets it with the process.

    Args:
        config: the instance's settings; none of them matters here.
        clock: where the time comes from.
        store: a store to share with other instances; without it, an empty one.

    Attributes:
        store: the rows.
    """

    kind = "memory"
    capabilities = frozenset({Capability.MFA_CODES, Capability.OAUTH, Capability.TRANSACTIONS})

    def __init__(self, *, config: RegStackConfig, clock: Clock, store: MemoryStore | None = None) -> None:
        super().__init__(config=config, clock=clock)
        self.store = store if store is not None else MemoryStore()
        self.users = MemoryUsers(self.store, clock)
        self.pending = MemoryPending(self.store, clock)
        self.blacklist = MemoryBlacklist(self.store, clock)
        self.attempts = MemoryAttempts(self.store, clock)
        self.mfa_codes = MemoryMfaCodes(self.store, clock)
        self.oauth_identities = MemoryOAuthIdentities(self.store, clock)
        self.oauth_states = MemoryOAuthStates(self.store, clock)

    async def install_schema(self) -> SchemaReport:
        """Mark the store as installed."""
        changes = await self.pending_changes()
        self.store.installed = True
        return SchemaReport(revision=REVISION, changes=changes)

    async def pending_changes(self) -> tuple[str, ...]:
        """Say whether the store is still to be marked."""
        return () if self.store.installed else ("make an empty store",)

    async def drop_schema(self) -> None:
        """Forget everything."""
        for each in fields(self.store):
            value = getattr(self.store, each.name)
            setattr(self.store, each.name, type(value)())

    async def ping(self) -> PingReport:
        """Answer at once."""
        return PingReport(round_trip=timedelta(), server_version=f"memory {REVISION}")

    async def aclose(self) -> None:
        """Leave the store to whoever shares it."""
