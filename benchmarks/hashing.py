"""Argon2 alone: the most logins that any server could answer with the same parameters and threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from argon2 import PasswordHasher

from benchmarks.applications import PASSWORD

if TYPE_CHECKING:
    from regstack.auth.passwords import Argon2Parameters


class RawHashing:
    """Checks one password over and over, in as many threads as given."""

    def __init__(self, parameters: Argon2Parameters, *, threads: int) -> None:
        self._hasher = PasswordHasher(
            time_cost=parameters.time_cost,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
        )
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
