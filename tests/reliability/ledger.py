"""Writes without pause through a backend's repositories, and remembers what was acknowledged."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from regstack.backends.base import Backend
from regstack.errors import BackendTimeout, BackendUnavailable
from regstack.testing.builders import Builder
from regstack.testing.writes import WRITES, Write

WRITERS = 4
PATIENCE_SECONDS = 60


@dataclass
class Ledger:
    """What a run of writers came to.

    Attributes:
        acknowledged: writes that answered; each has rows of its own, so it can be looked for later.
        failed: how many ended in `BackendUnavailable` or `BackendTimeout`.
        escaped: errors of any other kind; there must be none.
    """

    acknowledged: list[Write] = field(default_factory=list)
    failed: int = 0
    escaped: list[BaseException] = field(default_factory=list)
    _grew: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, backend: Backend, make: Builder, seed: int) -> None:
        """Let the writers begin."""
        self._writers = [
            asyncio.create_task(self._write(backend, make, random.Random(seed * WRITERS + number)))
            for number in range(WRITERS)
        ]

    async def _write(self, backend: Backend, make: Builder, rng: random.Random) -> None:
        while not self._stop.is_set():
            try:
                write = await WRITES[rng.choice(sorted(WRITES))](backend, make)
                answer = await write.call.send(backend)
                if not write.is_first(answer):
                    raise AssertionError(f"{write.call.operation} answered {answer!r}")
                self.acknowledged.append(write)
                self._grew.set()
            except (BackendUnavailable, BackendTimeout):
                self.failed += 1
                await asyncio.sleep(0.01)
            except Exception as error:  # noqa: BLE001 - the test shows it
                self.escaped.append(error)
                self._grew.set()
                return

    async def reach(self, number: int) -> None:
        """Wait until so many writes were acknowledged."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.acknowledged) < number and not self.escaped:
                self._grew.clear()
                await self._grew.wait()
        if self.escaped:
            raise self.escaped[0]

    async def end(self) -> None:
        """Let the writers end."""
        self._stop.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*self._writers)

    async def lost(self, backend: Backend) -> list[str]:
        """Look for everything that was acknowledged; give the operations that left no trace."""
        return [write.call.operation for write in self.acknowledged if not await write.is_finished(backend)]


async def until_it_answers(backend: Backend) -> None:
    """Ping until the database answers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await backend.ping()
            except (BackendUnavailable, BackendTimeout):
                await asyncio.sleep(0.02)
            else:
                return
