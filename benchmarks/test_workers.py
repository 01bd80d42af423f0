"""What a second worker over the same database brings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks import load
from benchmarks.rounds import in_turns, ratio
from benchmarks.running import regstack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.figures import Figures
    from benchmarks.server import Application

CLIENTS = 16
SECONDS = {"GET /me": 0.5, "logins": 1.2}
CORES_NEEDED = 6
"""Two for each worker, when it hashes; the clients and the database take the others."""


def test_two_workers(figures: Figures, new_url: Mapping[str, Callable[[], str]]) -> None:
    url = new_url["PostgreSQL"]()
    with regstack(url) as first, regstack(url, people=0) as second:
        asked = {"GET /me": first.me, "logins": first.logins}

        def together(name: str, *workers: Application) -> Callable[[], float]:
            each = CLIENTS // len(workers)
            # Each worker begins elsewhere, so that nobody signs in twice at the same time.
            loads = {
                str(number): load.Load(worker.port, turned(asked[name], number / len(workers)), each)
                for number, worker in enumerate(workers)
            }
            return lambda: sum(outcome.rate for outcome in load.run(loads, SECONDS[name]).values())

        for name in asked:
            taken = in_turns({"one": together(name, first), "two": together(name, first, second)})
            allowed = (os.cpu_count() or 1) >= CORES_NEEDED
            figures.add(
                f"two workers over one, PostgreSQL, {CLIENTS} clients",
                name,
                **ratio(taken["two"], taken["one"])._asdict(),
                goal="≥ 1.8" if allowed else "",
                why="workers, clients and database share the cores",
                note=""
                if allowed
                else f"no goal on {os.cpu_count()} cores, which workers, clients and database share",
            )


def turned(requests: list[bytes], part: float) -> list[bytes]:
    """Begin a list elsewhere."""
    begin = int(len(requests) * part)
    return requests[begin:] + requests[:begin]
