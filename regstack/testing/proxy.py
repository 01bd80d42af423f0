"""A TCP proxy before a server, which counts what passes and breaks on command."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 16
_LONGEST_REQUEST_KEPT = 4096


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


@dataclass(slots=True)
class Exchange:
    """One round trip of one connection: what was asked until an answer began.

    Attributes:
        request: the beginning of what the client sent.
        answered: the server has sent something.
    """

    request: bytes
    answered: bool = False


class FaultProxy:
    """Passes bytes between clients and a server, on the event loop that started it.

    It knows no protocol: a round trip is a change of direction on a connection, so statements that
    are sent together count once, and a statement in a transaction of its own counts three times.

    Args:
        target: the server.
        is_upkeep: says of the bytes of a request that the driver sends it by itself (monitoring,
            handshakes); such exchanges are not counted, and `cut_reply` lets them pass.

    Attributes:
        exchanges: what was asked, oldest first, upkeep left out.
        cuts: connections that `cut_reply` has broken.
    """

    def __init__(self, target: Address, *, is_upkeep: Callable[[bytes], bool]) -> None:
        self.exchanges: list[Exchange] = []
        self.cuts = 0
        self._target = target
        self._is_upkeep = is_upkeep
        self._server: asyncio.Server | None = None
        self._address = Address("127.0.0.1", 0)
        self._links: set[_Link] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._replies_until_cut: int | None = None

    @property
    def address(self) -> Address:
        """Where clients connect; the same for as long as the proxy lives."""
        return self._address

    async def refuse(self) -> None:
        """Break all connections, and take no new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()

    def stall(self) -> None:
        """Keep all connections and take new ones, and pass nothing more."""
        self._passing.clear()

    def drop(self) -> None:
        """Break all connections; new ones are taken."""
        for link in list(self._links):
            link.abort()

    def cut_reply(self, *, after: int = 0) -> None:
        """Break the connection whose answer comes next, in place of passing the answer.

        The server has done what it was asked, and the client cannot know. It happens once.

        Args:
            after: how many answers pass before.
        """
        self._replies_until_cut = after

    async def restore(self) -> None:
        """Pass everything again."""
        self._replies_until_cut = None
        self._passing.set()
        if self._server is None:
            await self.start()

    async def start(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._take, self._address.host, self._address.port)
        self._address = Address(*self._server.sockets[0].getsockname()[:2])
        return self

    async def aclose(self) -> None:
        """Break all connections and stop listening."""
        self._passing.set()
        await self.refuse()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def __aenter__(self) -> Self:
        """Listen."""
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.aclose()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        if handler is not None:
            self._handlers.add(handler)
            handler.add_done_callback(self._handlers.discard)
        try:
            to_server = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(self, (reader, writer), to_server)
        self._links.add(link)
        try:
            await link.run()
        except asyncio.CancelledError:
            pass
        finally:
            link.abort()
            self._links.discard(link)

    def _asked(self, request: bytes) -> Exchange | None:
        """Note a request; None for upkeep."""
        if self._is_upkeep(request):
            return None
        self.exchanges.append(Exchange(request[:_LONGEST_REQUEST_KEPT]))
        return self.exchanges[-1]

    def _cuts(self) -> bool:
        """Say whether the answer that begins now is the one to be lost."""
        if self._replies_until_cut is None:
            return False
        if self._replies_until_cut > 0:
            self._replies_until_cut -= 1
            return False
        self._replies_until_cut = None
        self.cuts += 1
        return True


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One client's connection and the one to the server."""

    def __init__(self, proxy: FaultProxy, client: _Streams, server: _Streams) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._current: Exchange | None = None
        self._asking = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for way in (
                self._pass(self._from_client, self._to_server, self._request),
                self._pass(self._from_server, self._to_client, self._reply),
            ):
                group.create_task(way)

    def abort(self) -> None:
        self._to_client.transport.abort()
        self._to_server.transport.abort()

    async def _pass(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        note: Callable[[bytes], bool],
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                await self._proxy._passing.wait()  # noqa: SLF001 - one thing in two classes
                if not note(data):
                    break
                target.write(data)
                await target.drain()
        self.abort()

    def _request(self, data: bytes) -> bool:
        if not self._asking:
            self._asking = True
            self._current = self._proxy._asked(data)  # noqa: SLF001
        return True

    def _reply(self, data: bytes) -> bool:
        began, self._asking = self._asking, False
        if began and self._current is not None:
            if self._proxy._cuts():  # noqa: SLF001
                return False
            self._current.answered = True
        return True
