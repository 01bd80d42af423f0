"""The connections that one event loop keeps."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from redis import exceptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Connections:
    """Lends connections, each to one task at a time.

    The driver has pools of its own. This one never waits when a connection comes back, so that no
    second cancellation can lose it.

    Args:
        make: makes a connection of the driver, not yet connected.
        size: how many may be lent at the same time.
        connect_timeout: seconds until a connection must be made and the server have greeted.
    """

    def __init__(self, make: Callable[[], Any], size: int, connect_timeout: float) -> None:
        self._make = make
        self._connect_timeout = connect_timeout
        self._free = asyncio.Semaphore(size)
        self._idle: list[Any] = []
        self._closed = False

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Any]:
        """Lend a connection that is connected.

        It is kept where the block read a whole answer, be it an error of the server. After
        anything else, a cancellation above all, an answer may still be on its way, which the next
        command would take for its own: such a connection is closed.
        """
        async with self._free:
            connection = self._idle.pop() if self._idle else self._make()
            in_step = False
            try:
                await self._connect(connection)
                yield connection
                in_step = True
            except exceptions.ResponseError:
                in_step = True
                raise
            finally:
                if in_step and not self._closed:
                    self._idle.append(connection)
                else:
                    await connection.disconnect(nowait=True)

    async def _connect(self, connection: Any) -> None:
        # Something to read before anything was asked is the end of the stream.
        if connection.is_connected and await connection.can_read():
            await connection.disconnect(nowait=True)
        try:
            async with asyncio.timeout(self._connect_timeout):
                await connection.connect()
        except TimeoutError as error:
            raise exceptions.TimeoutError("no greeting from the server") from error

    async def aclose(self) -> None:
        """Close those that are idle; those that are lent are closed when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().disconnect()
