"""A proxy before a PostgreSQL server that notes what a client sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Wire:
    """What went to the server.

    Attributes:
        url: where clients connect, without TLS.
        sent: for each piece that arrived at once, the types of its messages, one letter each.
    """

    def __init__(self, url: str, port: int) -> None:
        host = urlsplit(url)
        self.url = host._replace(netloc=f"{host.username}@127.0.0.1:{port}").geturl()
        self.sent: list[bytes] = []

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[Wire]:
        """Stand before a server."""
        target = urlsplit(url)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            back_reader, back_writer = await asyncio.open_connection(target.hostname, target.port)

            async def forth() -> None:
                start = await reader.read(1 << 16)  # the startup message has no type
                while start:
                    back_writer.write(start)
                    start = await reader.read(1 << 16)
                    if start:
                        wire.sent.append(_types(start))
                back_writer.close()

            async def back() -> None:
                while data := await back_reader.read(1 << 16):
                    writer.write(data)
                writer.close()

            with suppress(OSError):
                await asyncio.gather(forth(), back())

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        wire = cls(url, server.sockets[0].getsockname()[1])
        async with server:
            yield wire


def _types(data: bytes) -> bytes:
    """Give the type of each message in a piece, which begins with a message."""
    found = b""
    at = 0
    while at < len(data):
        found += data[at : at + 1]
        at += 1 + int.from_bytes(data[at + 1 : at + 5], "big")
    return found
