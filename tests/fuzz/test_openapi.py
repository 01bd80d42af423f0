"""Calls that the OpenAPI document allows, and many that it does not: every answer is one that it describes.

Each route is called with its examples, at the borders of every field, with values made up by the schema and
against it, and in sequences where one call uses what another one answered. Routes to come are called too.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis.core.failures import FailureGroup
from schemathesis.engine import events, from_schema

from regstack import RegStackConfig
from tests.everything import everything_on
from tests.fuzz.people import People, operation_id
from tests.served import Served

SHORT, LONG = "short", "long"
LENGTHS = [SHORT, pytest.param(LONG, marks=pytest.mark.soak)]
EXAMPLES = {SHORT: 6, LONG: 300}
"""Values for each route that fit the schema, and as many that do not."""
CALLS = {SHORT: 120, LONG: 5000}
"""In sequences, at the least."""
LEFT_OUT = {
    "positive_data_acceptance": "no schema tells which token was mailed, nor which passwords are common",
    "allow_header_conformance": "the host's router answers OPTIONS and methods that a path does not have",
}
OTHER_WAYS_TO_REGISTER = [{"require_verification": False}, {"quiet_registration": True}]
NOT_REACHED = {"oauth_callback_form": "the fields are the provider's, and not described"}
"""Operations that no call can succeed with, and why."""


class Report:
    """What came of the calls."""

    def __init__(self) -> None:
        self.phases: Counter[str] = Counter()
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
                self.phases[event.phase.value] += 1
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


@dataclass
class Fuzzed:
    """An application, its document as schemathesis reads it, and the people who call it."""

    served: Served
    schema: Any
    people: People
    seed: int


@pytest.fixture(params=LENGTHS)
def length(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def more_settings() -> dict[str, Any]:
    """Settings beside those that switch every part on."""
    return {}


@pytest.fixture
def fuzzed(
    database_url: str, length: str, more_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fuzzed]:
    # Where a redirect leads is not the answer of the route.
    monkeypatch.setattr(requests.Session, "get_redirect_target", lambda *_: None)
    seed = 1 if length == SHORT else secrets.randbits(32)
    print(f"seed {seed}")
    settings = {
        "seed": seed,
        "continue-on-failure": True,
        "suppress-health-check": ["all"],
        "cache": {"enabled": False},
        "checks": {name: {"enabled": False} for name in LEFT_OUT},
        "generation": {
            "mode": "all",
            "max-examples": EXAMPLES[length],
            "deterministic": length == SHORT,
            "database": "none",
            "no-shrink": True,
        },
    }
    with Served(RegStackConfig(database_url=database_url, **everything_on() | more_settings)) as served:
        config = schemathesis.Config.from_dict(settings | {"base-url": served.url})
        schema = schemathesis.openapi.from_dict(served.document, config=config)
        people = People(served, seed)
        schema.auth.providers.append(people)
        schema.hooks.register_hook_with_name(people.fill_in, "map_case")
        yield Fuzzed(served, schema, people, seed)


def test_every_answer_is_one_that_the_document_describes(fuzzed: Fuzzed) -> None:
    fuzzed.schema.config.phases.stateful.enabled = False  # below
    report = Report()
    for event in from_schema(fuzzed.schema).execute():
        report.add(event)
    print(dict(report.phases))
    assert "\n\n".join(report.failures) == ""
    assert set(report.phases) == {"examples", "coverage", "fuzzing"}
    paths = fuzzed.served.document["paths"].values()
    missed = {each["operationId"] for path in paths for each in path.values()} - report.reached()
    assert missed == set(NOT_REACHED), "tests/fuzz/people.py must know what a valid call of these needs"


@pytest.mark.parametrize("database_url", ["memory"], indirect=True)
@pytest.mark.parametrize("more_settings", OTHER_WAYS_TO_REGISTER, ids=["unverified", "quiet"])
def test_every_answer_is_described_where_people_register_otherwise(fuzzed: Fuzzed) -> None:
    found = fuzzed.schema.include(tag="registration")
    report = Report()
    found.config.phases.stateful.enabled = False
    for event in from_schema(found).execute():
        report.add(event)
    assert "\n\n".join(report.failures) == ""
    assert {"register", "verify"} <= report.reached()


def test_sequences_of_calls_about_the_same_accounts_are_answered_as_described(
    fuzzed: Fuzzed, length: str
) -> None:
    statuses: Counter[int] = Counter()
    failures: list[str] = []

    class Sequences(fuzzed.schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            fuzzed.people.forget()

        def after_call(self, response: Any, case: Any) -> None:
            super().after_call(response, case)
            statuses[response.status_code] += 1

        def validate_response(self, *args: Any, **kwargs: Any) -> None:
            try:
                super().validate_response(*args, **kwargs)
            except FailureGroup as failure:
                failures.append(str(failure))

    settings = hypothesis.settings(
        max_examples=10,
        stateful_step_count=8,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for seed in range(fuzzed.seed, fuzzed.seed + CALLS[length]):
        # The database remembers what an earlier sequence did, so the same one may go otherwise.
        with suppress(FlakyStrategyDefinition):
            hypothesis.seed(seed)(Sequences).run(settings=settings)
        if statuses.total() >= CALLS[length] or failures:
            break
    print(dict(statuses))
    assert "\n\n".join(failures) == ""
    assert statuses[200] > CALLS[length] / 10
