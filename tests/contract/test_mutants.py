"""The suite is not vacuous: each broken backend is caught by the clauses that it breaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from regstack.testing.runner import SuiteRun, run_suites

HERE = Path(__file__).parent
MODEL = "test_every_program_is_answered_as_the_reference_answers_it"
Publish = Callable[[Mapping[str, Sequence[str]]], None]


def references(file: str, pattern: str) -> list[str]:
    """Give what names each harness of a file whose class statement looks like this."""
    names = re.findall(pattern, (HERE / file).read_text("utf-8"), re.MULTILINE)
    return [f"{HERE / file}:{name}" for name in names]


MUTANTS = [
    *references("mutants.py", r"^class (\w+)\(Mutant\)"),
    *references("user_mutants.py", r"^class (\w+)\(Mutant\)"),
]
SQLITE_MUTANTS = references("sql_mutants.py", r"^class (Sqlite\w+)\(")
POSTGRES_MUTANTS = references("sql_mutants.py", r"^class (Postgres\w+)\(")
MONGO_MUTANTS = references("mongo_mutants.py", r"^class (\w+)\(MongoMutant\)")
SHARES = [
    *(pytest.param(MUTANTS[share::4], id=f"reference-{share}") for share in range(4)),
    *(pytest.param(SQLITE_MUTANTS[share::2], id=f"sqlite-{share}") for share in range(2)),
    *(pytest.param(POSTGRES_MUTANTS[share::2], id=f"postgres-{share}") for share in range(2)),
    pytest.param(MONGO_MUTANTS, id="mongo"),
]


def class_of(reference: str) -> Any:
    """Give the harness's class; an instance would start its server."""
    file, _, name = reference.rpartition(":")
    return getattr(import_module(f"tests.contract.{Path(file).stem}"), name)


def options(reference: str, mutant: Any) -> list[str]:
    """Run the tests of the clauses alone, always alike; random programs only for those who need them."""
    clauses = [f"--regstack-clause={clause}" for clause in mutant.clauses]
    chosen = ["-k", MODEL, "--regstack-thorough"] if by_model(mutant) else ["-k", f"not {MODEL}"]
    return [f"--regstack-harness={reference}", "--regstack-seed=1", *clauses, *chosen]


def by_model(mutant: Any) -> bool:
    return getattr(mutant, "by_model", False)


def killers(mutant: Any, run: SuiteRun) -> set[str]:
    """Give the clauses that killed the mutant; empty where one of those that should did not.

    A random program fails by the operation whose answer shows the bug, which need not be the broken one.
    """
    failed = {clause for clauses in run.failed().values() for clause in clauses}
    enough = bool(failed) if by_model(mutant) else failed >= set(mutant.clauses)
    return failed if enough and run.exit_status == pytest.ExitCode.TESTS_FAILED else set()


@pytest.mark.parametrize("share", SHARES)
def test_mutants_are_killed_by_the_clauses_that_they_break(share: list[str], publish_kills: Publish) -> None:
    mutants = {reference: class_of(reference) for reference in share}
    runs = run_suites([options(reference, mutant) for reference, mutant in mutants.items()])
    killed = {
        reference.rpartition(":")[2]: sorted(killers(mutant, run))
        for (reference, mutant), run in zip(mutants.items(), runs, strict=True)
    }
    publish_kills(killed)
    survivors = [name for name, clauses in killed.items() if not clauses]
    assert not survivors, f"{survivors} survived\n{runs[0].output}"
