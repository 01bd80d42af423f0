"""Signing in: over Argon2 alone, and what it does to everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import load
from benchmarks.applications.argon2_only import RATE
from benchmarks.rounds import ROUNDS, Spread, in_turns, ratio
from benchmarks.running import HASHING_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.figures import Figures
    from benchmarks.running import Running
    from benchmarks.server import Application

SECONDS = 1.2
IDLE_SECONDS = 0.4
BEYOND, BEYOND_SECONDS = 128, 4.0
"""More clients than may hash or wait with the default settings, and longer than those take."""

GOALS = {4: "≥ 0.85, aim 0.95", 32: "≥ 0.90, aim 0.95"}
WHY = (
    "beside the hash: claim, read and writes of a sign-in, on the cores that hash and serve the database; "
    "docs/performance.md#hashing-under-load"
)
SHARED = "threads that hash share the cores with the loop"


@pytest.fixture
def raw(running: Running) -> Callable[[], float]:
    return lambda: float(running.hashing.ask(f"{RATE}?seconds={SECONDS}"))


@pytest.mark.parametrize("clients", [4, 32])
def test_logins_a_second(figures: Figures, running: Running, raw: Callable[[], float], clients: int) -> None:
    def signing_in(server: Application) -> Callable[[], float]:
        return lambda: server.measure(server.logins, clients=clients, seconds=SECONDS).rate

    taken = in_turns(
        {"raw": raw}
        | {f"regstack on {backend}": signing_in(server) for backend, server in running.ours.items()}
    )
    floor = taken.pop("raw")
    for name, rates in taken.items():
        group = (
            f"logins, {clients} clients: share of Argon2 alone (19 MiB, t2, p1, {HASHING_THREADS} threads)"
        )
        figures.add(group, name, **ratio(rates, floor)._asdict(), goal=GOALS[clients], why=WHY)


class Storm:
    """Rounds of `GET /me` by one client, alone and beside clients that sign in."""

    def __init__(self, server: Application, *, clients: int, seconds: float = SECONDS) -> None:
        self._server = server
        self._seconds = seconds
        self._me = load.Load(server.port, server.me)
        self._logins = load.Load(server.port, server.logins, clients)
        self.slower: list[float] = []
        self.lags: list[float] = []
        self.idle_lags: list[float] = []
        self.storms: list[load.Outcome] = []

    def round(self) -> float:
        idle, lag = self._lagging({"me": self._me}, IDLE_SECONDS)
        self.idle_lags.append(lag)
        storm, lag = self._lagging({"me": self._me, "logins": self._logins}, self._seconds)
        self.lags.append(lag)
        self.slower.append(storm["me"].percentile(50) / idle["me"].percentile(50))
        self.storms.append(storm["logins"])
        assert set(storm["me"].statuses) == {200}
        return self.slower[-1]

    def logins_alone(self) -> load.Outcome:
        """Let the clients sign in, and nobody ask for `GET /me`."""
        return load.run({"logins": self._logins}, self._seconds)["logins"]

    def _lagging(self, loads: dict[str, load.Load], seconds: float) -> tuple[dict[str, load.Outcome], float]:
        self._server.begin_loop_lag()
        outcomes = load.run(loads, seconds)
        lags = sorted(self._server.end_loop_lag())
        return outcomes, 1000 * lags[int(len(lags) * 0.99)]


def test_a_storm_of_logins(figures: Figures, running: Running) -> None:
    servers = {f"regstack on {backend}": server for backend, server in running.ours.items()}
    # A peer's storm says the same on each backend.
    servers |= {name: server for name, server in running.peers.items() if name.endswith("SQLite")}
    storms = {name: Storm(server, clients=4) for name, server in servers.items()}
    taken = in_turns({name: storm.round for name, storm in storms.items()})
    for name, storm in storms.items():
        ours = name.startswith("regstack")
        figures.add(
            "GET /me, p50 while 4 clients sign in, over its own when nobody does",
            name,
            **Spread.of(taken[name])._asdict(),
            goal="≤ 2" if ours else "",
            why=SHARED,
        )
        figures.add(
            "event loop, p99 of its lag while 4 clients sign in",
            name,
            **Spread.of(storm.lags[1:])._asdict(),
            goal="≤ 8, aim 5" if ours else "",
            unit="ms",
            note=f"{Spread.of(storm.idle_lags[1:]).value:.1f} ms when nobody does",
            why=SHARED,
        )


def test_a_storm_beyond_capacity(figures: Figures, running: Running, raw: Callable[[], float]) -> None:
    backend, server = next(iter(running.ours.items()))
    storm = Storm(server, clients=BEYOND, seconds=BEYOND_SECONDS)
    taken = in_turns(
        {"raw": raw, "slower": storm.round, "alone": lambda: admitted(storm.logins_alone())},
        rounds=min(3, ROUNDS),
    )
    group = f"{BEYOND} clients sign in, more than may wait (on {backend}; storage has no part in it)"
    answers = sum(len(outcome.times) for outcome in storm.storms)
    refused = sum(outcome.refusals for outcome in storm.storms)
    others = answers - refused - sum(outcome.statuses[200] for outcome in storm.storms)
    figures.add(
        group,
        "neither a token nor 503 with Retry-After",
        **Spread.of([others])._asdict(),
        goal="≤ 0",
        unit="",
        note=f"of {answers} answers {refused} were 503",
        why="an answer that nothing explains: a fault",
    )
    figures.add(
        group,
        "GET /me, p50 over its own when nobody signs in",
        **Spread.of(taken["slower"])._asdict(),
        goal="≤ 2",
        why=SHARED,
    )
    beside_me = ratio([admitted(outcome) for outcome in storm.storms[1:]], taken["raw"]).value
    figures.add(
        group,
        "logins, share of Argon2 alone",
        **ratio(taken["alone"], taken["raw"])._asdict(),
        goal="≥ 0.85",
        note=f"{beside_me:.2f} beside the client that asks for /me without a pause",
        why=WHY,
    )


def admitted(outcome: load.Outcome) -> float:
    """Give tokens a second."""
    return outcome.statuses[200] / outcome.seconds
