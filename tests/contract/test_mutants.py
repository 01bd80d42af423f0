"""The suite is not vacuous: each broken backend is caught by the clauses that it breaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from regstack.testing.harness import load_harness
from regstack.testing.runner import run_suites

MUTANTS = Path(__file__).with_name("mutants.py")
NAMES = re.findall(r"^class (\w+)\(Mutant\)", MUTANTS.read_text("utf-8"), re.MULTILINE)
SHARES = 3


@pytest.mark.parametrize("share", range(SHARES))
def test_mutants_are_killed_by_the_clauses_that_they_break(share: int) -> None:
    broken: dict[str, tuple[str, ...]] = {
        name: load_harness(f"{MUTANTS}:{name}").clauses  # type: ignore[attr-defined]
        for name in NAMES[share::SHARES]
    }
    runs = run_suites(
        [
            [f"--regstack-harness={MUTANTS}:{name}", *(f"--regstack-clause={each}" for each in clauses)]
            for name, clauses in broken.items()
        ]
    )
    survivors = {}
    for (name, clauses), run in zip(broken.items(), runs, strict=True):
        killed = {clause for found in run.failed().values() for clause in found}
        if run.exit_status != pytest.ExitCode.TESTS_FAILED or not killed.issuperset(clauses):
            survivors[name] = set(clauses) - killed
    assert not survivors, runs[0].output
