"""An HTTP server on loopback that keeps what it is asked, and answers as a test has told it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Asked:
    """One request, as it came over the wire; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as a form in which no name comes twice."""
        assert self.headers["content-type"].startswith("application/x-www-form-urlencoded")
        fields = parse_qs(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        assert all(len(values) == 1 for values in fields.values())
        return {name: values[0] for name, values in fields.items()}

    @property
    def json(self) -> Any:
        """The body as JSON."""
        assert self.headers["content-type"].startswith("application/json")
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the server says; with `hang` nothing, until the client gives up."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False


@dataclass
class StandIn:
    """The server.

    Attributes:
        url: where it listens.
        asked: the requests so far.
        answers: what it says to the next requests; after them always `answer`.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    answer: Answer = field(default_factory=Answer)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request on a connection, answer it and hang up."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, path, _ = first.split(" ")
            self.asked.append(Asked(method, path, headers, body))
            answer = self.answers.pop(0) if self.answers else self.answer
            if answer.hang:
                await reader.read()
                return
            told = {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}
            writer.write(f"HTTP/1.1 {answer.status} Told\r\n".encode())
            writer.write("".join(f"{name}: {value}\r\n" for name, value in told.items()).encode() + b"\r\n")
            writer.write(answer.body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def standing_in(tls: ssl.SSLContext | None = None) -> AsyncIterator[StandIn]:
    """Serve on a free port."""
    stand_in = StandIn()
    server = await asyncio.start_server(stand_in.talk, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        stand_in.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield stand_in
