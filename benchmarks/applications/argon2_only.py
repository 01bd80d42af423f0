"""The floor of logins: Argon2 alone, in a process of its own like every server.

The settings are the parameters and the number of threads.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from argon2 import PasswordHasher
from fastapi import FastAPI

from benchmarks.applications import PASSWORD, Person

ME, LOGIN, FORM = "", "", False
RATE = "/rate"


async def populate(settings: dict[str, Any], count: int) -> list[Person]:  # noqa: ARG001 - it has no accounts
    """Make nobody."""
    return []


def build(settings: dict[str, Any]) -> FastAPI:
    """Make a server that tells how many checks a second it is capable of."""
    app, raw = FastAPI(), RawHashing(**settings)

    @app.get(RATE)
    async def rate(seconds: float) -> float:
        return await asyncio.to_thread(raw.rate, seconds)

    return app


class RawHashing:
    """Checks one password over and over, in as many threads as given."""

    def __init__(self, *, memory_kib: int, time_cost: int, parallelism: int, threads: int) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
        self._hashed = self._hasher.hash(PASSWORD)
        self._threads = threads

    def rate(self, seconds: float) -> float:
        """Give checks a second, up to the last one within the time, at least one for each thread."""
        begin = time.perf_counter()
        until = begin + seconds

        def check() -> list[float]:
            ends: list[float] = []
            while True:
                self._hasher.verify(self._hashed, PASSWORD)
                if (now := time.perf_counter()) >= until and ends:
                    return ends
                ends.append(now)

        with ThreadPoolExecutor(self._threads) as threads:
            running = [threads.submit(check) for _ in range(self._threads)]
            ends = [end for thread in running for end in thread.result()]
        return len(ends) / (max(ends) - begin)
