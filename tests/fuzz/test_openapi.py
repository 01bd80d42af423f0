"""Calls that the OpenAPI document allows, and many that it does not: every answer is one that it describes.

Each route is called with its examples, at the borders of every field, with values made up by the schema and
against it, and in sequences where one call uses what another one answered. Routes to come are called too.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis.engine import events, from_schema

from regstack import RegStackConfig
from tests.everything import everything_on
from tests.fuzz.people import People, operation_id
from tests.served import Served

LENGTHS = [
    pytest.param({"max-examples": 8, "deterministic": True}, id="short"),
    pytest.param({"max-examples": 300}, id="long", marks=pytest.mark.soak),
]
LEFT_OUT = {
    "positive_data_acceptance": "no schema tells which token was mailed, nor which passwords are common",
    "allow_header_conformance": "the host's router answers OPTIONS and methods that a path does not have",
}
NOT_REACHED: dict[str, str] = {}
"""Operations that no call can succeed with, and why."""


class Report:
    """What came of the calls."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.failures: list[str] = []

    def add(self, event: Any) -> None:
        """Take note of what the engine tells."""
        if isinstance(event, events.NonFatalError | events.FatalError):
            self.failures.append(str(getattr(event, "value", None) or getattr(event, "exception", None)))
        if not isinstance(event, events.ScenarioFinished):
            return
        for key, node in event.recorder.cases.items():
            call = event.recorder.interactions.get(key)
            if call is not None and call.response is not None:
                self.calls[event.phase.value] += 1
                self.answers[operation_id(node.value), call.response.status_code] += 1
            for check in event.recorder.checks.get(key, []):
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    self.failures.append(
                        f"{node.value.operation.label}: {check.name}: {failure.title}\n{failure.message}\n"
                        f"{check.failure_info.code_sample}"
                    )

    def reached(self) -> set[str]:
        """Give the operations that a call succeeded with."""
        return {name for name, status in self.answers if status < 400}


@pytest.fixture
def served(database_url: str) -> Iterator[Served]:
    config = RegStackConfig(database_url=database_url, **everything_on())
    with Served(config) as served:
        yield served


@pytest.mark.parametrize("length", LENGTHS)
def test_every_answer_is_one_that_the_document_describes(served: Served, length: dict[str, Any]) -> None:
    seed = 1 if length.get("deterministic") else secrets.randbits(32)
    print(f"seed {seed}")
    people = People(served, seed)
    schema = schemathesis.openapi.from_dict(
        served.document,
        config=schemathesis.Config.from_dict(
            {
                "seed": seed,
                "base-url": served.url,
                "continue-on-failure": True,
                "suppress-health-check": ["all"],
                "cache": {"enabled": False},
                "checks": {name: {"enabled": False} for name in LEFT_OUT},
                "generation": {"mode": "all", "database": "none", "no-shrink": True} | length,
            }
        ),
    )
    schema.auth.providers.append(people)
    schema.hooks.register_hook_with_name(people.fill_in, "map_case")
    report = Report()
    for event in from_schema(schema).execute():
        report.add(event)
    print(dict(report.calls))
    assert "\n\n".join(report.failures) == ""
    assert set(report.calls) >= {"examples", "coverage", "fuzzing", "stateful"}
    operations = {each["operationId"] for path in served.document["paths"].values() for each in path.values()}
    missed = operations - report.reached()
    assert missed == set(NOT_REACHED), "tests/fuzz/people.py must know what a valid call of these needs"
