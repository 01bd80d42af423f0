"""Draws, at the end of the run, clauses by backends, and mutants by the clauses that killed them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from regstack.testing.table import draw

PROPERTY = "regstack contract report"
KILLS = "regstack mutants"


@pytest.fixture
def publish(record_property: Callable[[str, object], None]) -> Callable[[Mapping[str, Any]], None]:
    """Hand a report to the table; a property of the test also travels from xdist's workers."""
    return lambda report: record_property(PROPERTY, json.dumps(report))


@pytest.fixture
def publish_kills(
    record_property: Callable[[str, object], None],
) -> Callable[[Mapping[str, Sequence[str]]], None]:
    """Hand the mutants' clauses to the other table, in the same way."""
    return lambda kills: record_property(KILLS, json.dumps(kills))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [*_published(terminalreporter, PROPERTY)]
    if reports:
        terminalreporter.section("storage contract")
        terminalreporter.write_line(draw(sorted(reports, key=lambda report: str(report["backend"]))))
    kills: dict[str, list[str]] = {}
    for published in _published(terminalreporter, KILLS):
        kills |= published
    if kills:
        terminalreporter.section("mutants, and the clauses that killed them")
        width = max(map(len, kills))
        for mutant, clauses in sorted(kills.items()):
            terminalreporter.write_line(f"{mutant:{width}}  {', '.join(clauses) or 'SURVIVED'}")


def _published(terminalreporter: Any, name: str) -> Iterator[Any]:
    for tests in terminalreporter.stats.values():
        for test in tests:
            if getattr(test, "when", None) == "call":
                yield from (json.loads(value) for key, value in test.user_properties if key == name)
