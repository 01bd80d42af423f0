"""The connections that one event loop holds."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import aiosqlite

    from regstack_sqlite.connection import Source


@dataclass(slots=True, eq=False)
class Reader:
    """A connection that only reads.

    Attributes:
        connection: the connection.
        waiting: statements that were sent to it and are not answered yet.
    """

    connection: aiosqlite.Connection
    waiting: int = 0


class Connections:
    """One writer and some readers, opened when they are first needed.

    Args:
        source: where connections come from.
        most_readers: how many readers there may be.
        loop: the event loop that uses them.
        former: those of an earlier loop. Its files are closed; a database in memory would be
            lost, so its connection is taken over.

    Attributes:
        lock: held while the writer is in use.
        loop: as given.
    """

    def __init__(
        self,
        source: Source,
        most_readers: int,
        loop: asyncio.AbstractEventLoop,
        *,
        former: Connections | None,
    ) -> None:
        self.lock = asyncio.Lock()
        self.loop = loop
        self._source = source
        self._most_readers = most_readers
        self._opening = asyncio.Lock()
        self._writer: aiosqlite.Connection | None = None
        self._readers: list[Reader] = []
        self._left: list[aiosqlite.Connection] = []
        self._unclean = False
        if former is not None:
            self._take_over(former)

    def _take_over(self, former: Connections) -> None:
        self._left = [*former._left, *(reader.connection for reader in former._readers)]
        if former._writer is None:
            return
        if self._source.path is None:
            self._writer, self._unclean = former._writer, True
        else:
            self._left.append(former._writer)

    async def _abandon_left(self) -> None:
        while self._left:
            await self._source.abandon(self._left.pop())

    async def writer(self) -> aiosqlite.Connection:
        """Give the one connection that writes; the caller holds `lock`."""
        await self._abandon_left()
        if self._writer is None:
            self._writer = await self._source.connect()
        if self._unclean:
            await self._writer.rollback()
            await self._writer.execute("PRAGMA foreign_keys=ON")
            self._unclean = False
        return self._writer

    async def reader(self) -> Reader:
        """Give the reader that has least to do; a further one where all are busy."""
        if self._left:
            await self._abandon_left()
        idlest = self._idlest()
        if idlest is not None and (len(self._readers) >= self._most_readers or self._opening.locked()):
            return idlest
        async with self._opening:
            idlest = self._idlest()
            if idlest is None or (idlest.waiting > 0 and len(self._readers) < self._most_readers):
                idlest = Reader(await self._source.connect())
                self._readers.append(idlest)
            return idlest

    def idle_reader(self) -> Reader | None:
        """Give a reader that has nothing to do, if there is one."""
        for reader in self._readers:
            if reader.waiting == 0:
                return reader
        return None

    def _idlest(self) -> Reader | None:
        return min(self._readers, key=lambda reader: reader.waiting, default=None)

    @asynccontextmanager
    async def exclusively(
        self, roll_back: Callable[[aiosqlite.Connection], Awaitable[None]]
    ) -> AsyncIterator[None]:
        """Hold the writer; `roll_back` makes it clean where the block does not reach its end."""
        async with self.lock:
            try:
                yield
            except BaseException:
                await self._clean(roll_back)
                raise

    async def _clean(self, roll_back: Callable[[aiosqlite.Connection], Awaitable[None]]) -> None:
        if self._writer is None:
            return
        try:
            await roll_back(self._writer)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, the next task gets another one
            writer, self._writer = self._writer, None
            await self._source.abandon(writer)

    async def aclose(self) -> None:
        """Close all of them."""
        await self._abandon_left()
        readers, self._readers = self._readers, []
        writer, self._writer = self._writer, None
        for connection in [*(reader.connection for reader in readers), *([writer] if writer else [])]:
            await self._source.close(connection)
