"""The reference backend: the storage contract as code that is right by reading.

For tests of hosts and of regstack itself. Rows live in a `MemoryStore`; two backends over one
store are two instances over one database. Every operation is a synchronous body without an
`await` in it, so it is atomic on one event loop.
"""

from __future__ import annotations

from regstack.testing.memory.backend import MemoryBackend
from regstack.testing.memory.store import MemoryStore

__all__ = ["MemoryBackend", "MemoryStore"]
