"""Applications as processes, and the requests that they are asked."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from benchmarks import load
from benchmarks.applications import PASSWORD
from benchmarks.applications.gauges import CPU, LOOP_LAG
from tests.servers.process import Server

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
LIBRARIES = ROOT / "build" / "bench"
"""uvloop and httptools, which `make bench` installs apart: tests run without them."""

PEOPLE = 200
"""Accounts of each application."""


class Measured(NamedTuple):
    """One round of requests for the same thing.

    Attributes:
        rate: answers a second.
        cpu: CPU seconds of the server for an answer.
        p50: seconds that half of the answers took at most.
        p99: the same of ninety-nine in a hundred.
    """

    rate: float
    cpu: float
    p50: float
    p99: float


class Application(Server):
    """uvicorn with one worker.

    Args:
        module: in `benchmarks.applications`.
        settings: what it is built with.
        people: accounts to make before it starts.
        python: of the environment that it runs in.

    Attributes:
        given: the file that it was started with, as `serve.py` describes it.
        me: requests for `GET /me`, one for each account.
        logins: requests that sign in, one for each account.
    """

    def __init__(
        self,
        module: str,
        settings: dict[str, Any],
        *,
        people: int = PEOPLE,
        python: str | Path = sys.executable,
    ) -> None:
        super().__init__()
        self.python = python
        self.given = self.folder / "given.json"
        self._facts = self.folder / "facts.json"
        given = {
            "module": module,
            "settings": settings,
            "people": people,
            "facts": str(self._facts),
            "port": self.port,
            "libraries": str(LIBRARIES),
        }
        self.given.write_text(json.dumps(given))
        self.me: list[bytes] = []
        self.logins: list[bytes] = []

    def command(self) -> Sequence[str | Path]:
        """Give the command line."""
        return [self.python, ROOT / "benchmarks" / "serve.py", self.given]

    def answers(self) -> bool:
        """Say whether it listens, which it does once it has started."""
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        facts = json.loads(self._facts.read_text())
        self.me = [load.request("GET", facts["me"], token=token) for _, token in facts["people"]]
        self.logins = [self.login(name, PASSWORD) for name, _ in facts["people"]]
        return True

    def login(self, name: str, password: str) -> bytes:
        """Give a request that signs in."""
        facts = json.loads(self._facts.read_text())
        if facts["form"]:
            media, body = (
                "application/x-www-form-urlencoded",
                urlencode({"username": name, "password": password}),
            )
        else:
            media, body = "application/json", json.dumps({"email": name, "password": password})
        return load.request("POST", facts["login"], body=body.encode(), media=media)

    def measure(self, requests: Sequence[bytes], *, clients: int, seconds: float) -> Measured:
        """Keep it busy with requests that must all succeed."""
        before = self.ask(CPU)
        outcome = load.run({"all": load.Load(self.port, requests, clients)}, seconds)["all"]
        cpu = self.ask(CPU) - before
        assert set(outcome.statuses) == {200}, outcome.statuses
        # What was answered too late to count has cost CPU all the same; there is one such answer a client.
        answers = len(outcome.times) + clients
        return Measured(outcome.rate, cpu / answers, outcome.percentile(50), outcome.percentile(99))

    def begin_loop_lag(self) -> None:
        """Begin to measure how late its event loop is."""
        self.ask(LOOP_LAG, "POST")

    def end_loop_lag(self) -> list[float]:
        """Give how late it was, in seconds."""
        return list(self.ask(LOOP_LAG))

    def ask(self, path: str, method: str = "GET") -> Any:
        """Ask once, outside of what is measured."""
        request = Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        with urlopen(request) as answer:  # noqa: S310 - loopback
            return json.load(answer)
