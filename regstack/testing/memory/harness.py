"""How the contract suite opens the reference backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regstack.config.schema import RegStackConfig
from regstack.testing.harness import Harness
from regstack.testing.memory.backend import MemoryBackend
from regstack.testing.memory.store import MemoryStore

if TYPE_CHECKING:
    from regstack.auth.clock import Clock


class MemoryHarness(Harness):
    """A namespace is a `MemoryStore`.

    Attributes:
        backend_class: what is tested; a broken variant in the tests of the suite itself.
    """

    kind = "memory"
    backend_class: type[MemoryBackend] = MemoryBackend

    def __init__(self) -> None:
        self._store = MemoryStore()

    async def renew(self) -> None:
        """Take an empty store."""
        self._store = MemoryStore()

    async def open(self, clock: Clock, **settings: Any) -> MemoryBackend:
        """Build an instance over the current store."""
        config = RegStackConfig(**{"database_url": "memory://"} | settings)
        return self.backend_class(config=config, clock=clock, store=self._store)
