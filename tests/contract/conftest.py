"""Draws one table of clauses by backends at the end of the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from regstack.testing.table import draw

PROPERTY = "regstack contract report"


@pytest.fixture
def publish(record_property: Callable[[str, object], None]) -> Callable[[Mapping[str, Any]], None]:
    """Hand a report to the table; a property of the test also travels from xdist's workers."""
    return lambda report: record_property(PROPERTY, json.dumps(report))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [
        json.loads(value)
        for tests in terminalreporter.stats.values()
        for test in tests
        if getattr(test, "when", None) == "call"
        for name, value in test.user_properties
        if name == PROPERTY
    ]
    if reports:
        terminalreporter.section("storage contract")
        terminalreporter.write_line(draw(sorted(reports, key=lambda report: str(report["backend"]))))
