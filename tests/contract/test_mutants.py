"""The suite is not vacuous: each broken backend is caught by the clause that it breaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from regstack.testing.harness import load_harness
from regstack.testing.runner import run_suite

MUTANTS = Path(__file__).with_name("mutants.py")
NAMES = re.findall(r"^class (\w+)\(Mutant\)", MUTANTS.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_mutant_is_killed_by_the_clauses_that_it_breaks(name: str) -> None:
    reference = f"{MUTANTS}:{name}"
    clauses: tuple[str, ...] = load_harness(reference).clauses  # type: ignore[attr-defined]
    run = run_suite(f"--regstack-harness={reference}", *(f"--regstack-clause={clause}" for clause in clauses))
    killed = {clause for found in run.failed().values() for clause in found}
    assert run.exit_status == 1, run.output
    assert killed >= set(clauses), run.output
