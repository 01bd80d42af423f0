"""What attacks need besides a world, and the table of defences that is drawn at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.http.pages.conftest import browser, make_browser

__all__ = ["browser", "make_browser"]

VERDICTS = "regstack defences"


@pytest.fixture
async def workers(make_world: Any, database_url: str) -> tuple[Any, Any]:
    """Two instances on one database, each with connections of its own, as two processes have them."""
    first, second = await make_world(), await make_world()
    if database_url.startswith("memory:"):
        # In memory nothing is shared by the URL; the store is what a server would be.
        for name in ("users", "pending", "blacklist", "attempts"):
            getattr(second.rs, name)._store = first.rs.backend.store
    return first, second


@pytest.fixture
def publish_verdicts(record_property: Callable[[str, object], None]) -> Callable[[Any], None]:
    """Hand verdicts to the table; a property of the test also travels from xdist's workers."""
    return lambda verdicts: record_property(VERDICTS, json.dumps(verdicts))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from tests.security.mutant_runs import registry

    verdicts: dict[str, Any] = {}
    for tests in terminalreporter.stats.values():
        for test in tests:
            for name, value in getattr(test, "user_properties", ()):
                if name == VERDICTS and getattr(test, "when", None) == "call":
                    verdicts |= json.loads(value)
    if not verdicts:
        return
    terminalreporter.section("defences, and the tests that miss them")
    for mutant in registry():
        if verdict := verdicts.get(mutant.defence):
            terminalreporter.write_line(f"{mutant.row:>3}  {mutant.defence}")
            for test in verdict["caught"]:
                terminalreporter.write_line(f"       {test.removeprefix('tests/security/')}")
            for test in verdict["missed"]:
                terminalreporter.write_line(f"       NOT CAUGHT by {test}")
