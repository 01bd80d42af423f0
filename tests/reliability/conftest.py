"""Prints what the rounds came to, in the form that docs/reliability.md keeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock
from regstack.backends.base import Backend
from regstack.config.schema import RegStackConfig
from regstack.plugins.registry import PluginRegistry
from regstack.testing.builders import Builder

PROPERTY = "regstack reliability"
HEADER = ("what was killed", "rounds", "acknowledged", "lost", "errors seen")

ROUNDS = [
    pytest.param("short", id="short"),
    pytest.param("long", id="long", marks=pytest.mark.soak),
]
"""How often: some rounds in every run, the number that docs/reliability.md tells in `make soak`."""


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2031, 5, 4, 12, tzinfo=UTC))


@pytest.fixture
def make(clock: FrozenClock) -> Builder:
    return Builder(clock)


@pytest.fixture
def connect(clock: FrozenClock) -> Callable[..., Backend]:
    """Build the backend of a URL, with deadlines that suit servers which are killed."""
    registry = PluginRegistry.discover()

    def build(url: str, **settings: Any) -> Backend:
        deadlines = {"db_timeout_seconds": 5.0, "db_connect_timeout_seconds": 2.0}
        config = RegStackConfig(database_url=url, **deadlines | settings)
        return registry.create_backend(config, clock)

    return build


@pytest.fixture
def connect_patiently(connect: Callable[..., Backend]) -> Callable[[str], Backend]:
    """Build one for what must succeed, through an election that nobody meant too."""
    return lambda url: connect(url, db_timeout_seconds=60.0, db_connect_timeout_seconds=30.0)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Put a row into the table at the end of the run."""
    return lambda *row: record_property(PROPERTY, [str(cell) for cell in row])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        value
        for tests in terminalreporter.stats.values()
        for test in tests
        if getattr(test, "when", None) == "call"
        for name, value in test.user_properties
        if name == PROPERTY
    ]
    if not rows:
        return
    terminalreporter.section("killed, and what was lost")
    table = [HEADER, *sorted(rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADER))]
    for row in table:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())
