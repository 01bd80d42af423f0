"""What a driver says to its server, seen and held on the driver's side of the socket.

There a request is known in the very turn of the event loop that sends it, so what is on its way never
depends on how fast the system passes bytes from one socket to another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Pace(Protocol):
    """Says when answers may pass."""

    def asked(self, request: bytes) -> None:
        """Take notice of a request that is sent now."""

    async def answered(self, request: bytes) -> None:
        """Return once the answer to a request may pass; called when it begins."""


@contextmanager
def tapped(pace: Pace, *, is_upkeep: Callable[[bytes], bool]) -> Iterator[None]:
    """Tap the connections that are opened meanwhile on the running event loop, for as long as they live.

    A request is whatever is sent until something comes back.

    Args:
        pace: sees requests and holds answers.
        is_upkeep: says of the bytes of a request that the driver sends it by itself; those pass unseen.
    """
    loop: Any = asyncio.get_running_loop()
    connect = loop.create_connection

    async def create_connection(factory: Callable[[], Any], *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        _, tap = await connect(lambda: _Tap(factory(), pace, is_upkeep), *args, **kwargs)
        return tap.transport, tap.protocol

    loop.create_connection = create_connection
    try:
        yield
    finally:
        del loop.create_connection


class _Tap:
    """Stands between a connection and the driver's protocol.

    Attributes:
        protocol: the driver's.
        transport: what the driver sends by.
    """

    def __init__(self, protocol: Any, pace: Pace, is_upkeep: Callable[[bytes], bool]) -> None:
        self.protocol = protocol
        self.transport: Any = None
        self._pace = pace
        self._is_upkeep = is_upkeep
        self._asking: bytes | None = None
        self._held = bytearray()
        self._holding: asyncio.Task[None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol, name)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = _Sending(transport, self)
        self.protocol.connection_made(self.transport)

    def sends(self, data: bytes) -> None:
        """Take notice of what the driver sends."""
        if self._asking is None:
            self._asking = data
            if not self._is_upkeep(data):
                self._pace.asked(data)

    def data_received(self, data: bytes) -> None:
        self._held += data
        self._answered()

    def connection_lost(self, error: Exception | None) -> None:
        self._held.clear()
        self._answered()
        self.protocol.connection_lost(error)

    def _answered(self) -> None:
        request, self._asking = self._asking, None
        if request is not None and not self._is_upkeep(request):
            self._holding = asyncio.create_task(self._hold(request))
        elif self._holding is None:
            self._pass()

    async def _hold(self, request: bytes) -> None:
        await self._pace.answered(request)
        self._holding = None
        self._pass()

    def _pass(self) -> None:
        while self._held:
            if isinstance(self.protocol, asyncio.BufferedProtocol):
                buffer = self.protocol.get_buffer(len(self._held))
                data = self._held[: len(buffer)]
                buffer[: len(data)] = data  # type: ignore[index]
                del self._held[: len(data)]
                self.protocol.buffer_updated(len(data))
            else:
                data, self._held = self._held, bytearray()
                self.protocol.data_received(bytes(data))


class _Sending:
    """A transport whose writes are seen."""

    def __init__(self, transport: Any, tap: _Tap) -> None:
        self._transport = transport
        self._tap = tap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._tap.sends(bytes(data))
        self._transport.write(data)

    def writelines(self, chunks: list[bytes]) -> None:
        self.write(b"".join(chunks))

    def set_protocol(self, protocol: Any) -> None:
        self._tap.protocol = protocol
