"""The contract suite on every backend that this repository ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from regstack.testing.runner import run_suite

HERE = Path(__file__).parent

BACKENDS = {
    "memory": "regstack.testing.memory.harness:MemoryHarness",
    "sqlite": f"{HERE / 'harnesses.py'}:SqliteHarness",
    "postgres": f"{HERE / 'harnesses.py'}:PostgresHarness",
    "mongo": f"{HERE / 'harnesses.py'}:MongoHarness",
    "mongo standalone": f"{HERE / 'harnesses.py'}:StandaloneMongoHarness",
}


@pytest.mark.parametrize("kind", BACKENDS)
def test_a_shipped_backend_keeps_every_clause(
    kind: str, publish: Callable[[Mapping[str, Any]], None]
) -> None:
    run = run_suite(f"--regstack-harness={BACKENDS[kind]}")
    if run.report:
        publish(run.report)
    assert run.exit_status == 0, run.output
    assert run.report["verdict"] == "passed"
    assert run.report["backend"] == kind.partition(" ")[0]


@pytest.mark.soak
@pytest.mark.parametrize("kind", BACKENDS)
def test_a_shipped_backend_keeps_every_clause_when_races_are_repeated(kind: str) -> None:
    run = run_suite(f"--regstack-harness={BACKENDS[kind]}", "--regstack-thorough", timeout=3600)
    assert run.exit_status == 0, run.output
