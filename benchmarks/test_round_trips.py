"""How often a request waits for storage, counted on the wire as `tests/http/test_round_trips.py` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.rounds import Spread
from tests.security.walk import WALK

if TYPE_CHECKING:
    from benchmarks.figures import Figures
    from tests.http.test_round_trips import Meter

pytestmark = pytest.mark.anyio

BACKENDS = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mongo": "MongoDB"}
GOALS = {
    "GET /me": "≤ 1",
    "POST /login": "≤ 3",
    "POST /register": "≤ 2",
    "POST /logout": "≤ 1",
    "POST /reset-password": "≤ 2",
}

WHY = "a step waits that did not; tests/http/test_round_trips.py names it"


@pytest.mark.parametrize("database_url", BACKENDS, indirect=True)
async def test_waits_for_storage(figures: Figures, meter: Meter, request: pytest.FixtureRequest) -> None:
    for step in WALK:
        await meter.make(step)
    counts = meter.counts()
    backend = BACKENDS[request.node.callspec.params["database_url"]]
    for route, goal in GOALS.items():
        waits = Spread.of([len(counts[route])])
        group = "round trips to storage that a request waits for, one after the other"
        figures.add(group, f"{route} on {backend}", **waits._asdict(), goal=goal, unit="", why=WHY)
