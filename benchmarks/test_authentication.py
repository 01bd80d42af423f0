"""`GET /me`, beside an endpoint that only decodes the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.applications.token_only import LEAN
from benchmarks.rounds import ROUNDS, Spread, in_turns, ratio
from benchmarks.running import CACHE_MILLISECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.figures import Figures
    from benchmarks.running import Running
    from benchmarks.server import Application, Measured

SECONDS, MORE_ROUNDS = 0.3, 2
GOALS = {
    1: {"SQLite": "≥ 0.55", "PostgreSQL": "≥ 0.55", "MongoDB": "≥ 0.35"},
    8: {"SQLite": "≥ 0.70, aim 0.90", "PostgreSQL": "≥ 0.70, aim 0.90", "MongoDB": "≥ 0.38, aim 0.80"},
}
GOALS[16] = GOALS[8]
WHY = "the read: its round trip where the server's CPU is near the endpoint's, else Python above the driver"
CACHED_WHY = "what stands above the repository; docs/performance.md#above-the-repository"
CACHED = f"regstack with its token cache ({CACHE_MILLISECONDS // 1000} s) on"


@pytest.mark.parametrize("clients", [1, 8, 16])
def test_me(figures: Figures, running: Running, clients: int) -> None:
    def asking(server: Application, requests: list[bytes]) -> Callable[[], Measured]:
        return lambda: server.measure(requests, clients=clients, seconds=SECONDS)

    floor = running.floor
    lean = [request.replace(b"GET /me ", f"GET {LEAN} ".encode(), 1) for request in floor.me]
    ours, cached = running.ours, running.remembering
    taken = in_turns(
        {
            "floor": asking(floor, floor.me),
            "lean": asking(floor, lean),
            **{f"regstack on {backend}": asking(server, server.me) for backend, server in ours.items()},
            **{f"{CACHED} {backend}": asking(server, ours[backend].me) for backend, server in cached.items()},
            **{name: asking(server, server.me) for name, server in running.peers.items()},
        },
        rounds=ROUNDS + MORE_ROUNDS,
    )
    lean_rounds, floor_rounds = taken.pop("lean"), taken.pop("floor")
    goals = {f"regstack on {backend}": goal for backend, goal in GOALS[clients].items()}
    goals |= {f"{CACHED} {backend}": "≥ 0.95" for backend in cached}
    number = f"{clients} {'client' if clients == 1 else 'clients'}"
    group = f"GET /me, {number}: share of the throughput of an endpoint that only decodes the token"
    for name, rounds in taken.items():
        figures.add(
            group,
            name,
            **share(rounds, floor_rounds)._asdict(),
            goal=goals.get(name, ""),
            note=told(rounds, floor_rounds, lean_rounds),
            why=CACHED_WHY if name.startswith(CACHED) else WHY,
        )


def share(subject: list[Measured], floor: list[Measured]) -> Spread:
    return ratio([one.rate for one in subject], [one.rate for one in floor])


def told(subject: list[Measured], floor: list[Measured], lean: list[Measured]) -> str:
    """Say what a request costs in other terms, which shows where a share is lost."""
    cpu = ratio([one.cpu for one in subject], [one.cpu for one in floor]).value
    p50 = ratio([one.p50 for one in subject], [one.p50 for one in floor]).value
    p99 = ratio([one.p99 for one in subject], [one.p99 for one in floor]).value
    return (
        f"the server's CPU {cpu:.2f} ×, p50 {p50:.2f} ×, p99 {p99:.2f} × the endpoint's; "
        f"{share(subject, lean).value:.2f} of its leanest form"
    )
