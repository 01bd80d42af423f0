"""Clients that keep a server busy: each waits for its answer and asks again.

They share one thread, one selector and requests that are written beforehand, so that they cost a
small part of what a server spends on a request; `wrk` does the same in C.
"""

from __future__ import annotations

import heapq
import re
import selectors
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PATIENCE_SECONDS = 30
"""How long an answer may take, once the time is over."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Load:
    """What a group of clients does.

    Attributes:
        port: of 127.0.0.1, where the server is.
        requests: sent in turn, over and over, whichever client is free.
        clients: how many there are, each on a connection of its own.
    """

    port: int
    requests: Sequence[bytes]
    clients: int = 1


@dataclass(slots=True)
class Outcome:
    """What a group of clients got.

    Attributes:
        seconds: from the first request to the last answer that counts.
        times: seconds that each answer took, in the order in which they came.
        statuses: how many answers had which status.
        refusals: how many had the status 503 and said when to come back.
    """

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.seconds

    def percentile(self, percent: float) -> float:
        """Give the time within which so many of a hundred answers came."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def request(
    method: str, path: str, *, token: str = "", body: bytes = b"", media: str = "application/json"
) -> bytes:
    """Write a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Content-Type: {media}", f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def run(loads: Mapping[str, Load], seconds: float) -> dict[str, Outcome]:
    """Let all groups work at the same time.

    A client that is told to come back later does so. What is answered after the time is over is
    waited for and does not count, but for the first answer of a group.

    Args:
        loads: the groups by name.
        seconds: how long they go on asking.
    """
    outcomes = {name: Outcome() for name in loads}
    clients: list[_Client] = []
    try:
        for name, load in loads.items():
            turns = cycle(load.requests)
            clients += [_Client(load.port, turns, outcomes[name]) for _ in range(load.clients)]
        _work(clients, seconds)
    finally:
        for client in clients:
            client.socket.close()
    return outcomes


class _Client:
    """One connection, and what it waits for."""

    def __init__(self, port: int, requests: Iterator[bytes], outcome: Outcome) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.outcome = outcome
        self._requests = requests
        self._received = b""
        self._asked = 0.0

    def ask(self) -> None:
        self._asked = time.perf_counter()
        self.socket.sendall(next(self._requests))

    def answer(self) -> tuple[int, bytes, float] | None:
        """Take what has come; give status, head and seconds once the answer is whole."""
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise ConnectionError("the server hung up")
        self._received += chunk
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None
        length = _LENGTH.search(head)
        if length is None:
            raise ConnectionError(f"the answer has no length: {head!r}")
        if len(body) < int(length[1]):
            return None
        self._received = b""
        return int(head[9:12]), head, time.perf_counter() - self._asked


def _work(clients: Sequence[_Client], seconds: float) -> None:
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        begin = time.perf_counter()
        until = begin + seconds
        for client in clients:
            client.ask()
        busy = len(clients)
        resting: list[tuple[float, int]] = []
        while busy or (resting and resting[0][0] < until):
            now = time.perf_counter()
            if now > until + PATIENCE_SECONDS:
                raise TimeoutError("the server does not answer")
            while resting and resting[0][0] <= now < until:
                clients[heapq.heappop(resting)[1]].ask()
                busy += 1
            # Past the time nobody comes back, and there is nothing to wake for but answers.
            wake = min(resting[0][0], until) if resting and now < until else until + PATIENCE_SECONDS
            for key, _ in selector.select(max(0.0, wake - now)):
                client = key.data
                if (answer := client.answer()) is None:
                    continue
                busy -= 1
                now = time.perf_counter()
                if now >= until and client.outcome.times:
                    continue
                if (pause := _count(client.outcome, answer, now - begin)) is not None:
                    heapq.heappush(resting, (now + pause, clients.index(client)))
                else:
                    client.ask()
                    busy += 1


def _count(outcome: Outcome, answer: tuple[int, bytes, float], so_far: float) -> float | None:
    """Take an answer; give the seconds to wait where it is a refusal that names them."""
    status, head, took = answer
    outcome.seconds = so_far
    outcome.times.append(took)
    outcome.statuses[status] += 1
    retry = _RETRY_AFTER.search(head) if status == 503 else None
    if retry is None:
        return None
    outcome.refusals += 1
    return float(retry[1])
