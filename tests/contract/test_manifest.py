"""There is no way round: what is left out, skipped or declared wrongly fails the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from regstack.testing.clauses import NOT_CHECKED, PARTLY_CHECKED, catalogue
from regstack.testing.runner import SuiteRun, run_suite, run_suites

HERE = Path(__file__).parent
MEMORY = "--regstack-harness=regstack.testing.memory.harness:MemoryHarness"


def harness(name: str) -> str:
    return f"--regstack-harness={HERE / 'mutants.py'}:{name}"


RUNS = {
    "left out": [MEMORY, "-k", "not test_a_token_is_revoked_once"],
    "one clause": [MEMORY, "--regstack-clause=BLK-01"],
    "known": [harness("WithKnownFailure"), "--regstack-clause=BLK-01"],
    "known passes": [harness("WithKnownFailureThatPasses"), "--regstack-clause=BLK-01"],
    "known of none": [harness("WithKnownFailureOfNoTest")],
}


@pytest.fixture(scope="module")
def runs() -> dict[str, SuiteRun]:
    """Runs that need nothing of their own, one after the other in one process."""
    return dict(zip(RUNS, run_suites([*RUNS.values()]), strict=True))


def test_a_test_that_is_left_out_fails_the_run(runs: dict[str, SuiteRun]) -> None:
    run = runs["left out"]
    assert run.exit_status == 1, run.output
    assert run.failed() == {}
    assert run.report["verdict"] == "failed"
    assert run.report["problems"] == ["not run: test_blacklist.py::test_a_token_is_revoked_once"]


def test_a_run_of_one_clause_is_partial_and_has_no_verdict(runs: dict[str, SuiteRun]) -> None:
    run = runs["one clause"]
    assert run.exit_status == 0, run.output
    assert run.report["verdict"] == "partial"
    assert all("BLK-01" in test["clauses"] for test in run.report["tests"].values())


def test_a_known_failure_that_fails_is_no_failure(runs: dict[str, SuiteRun]) -> None:
    run = runs["known"]
    assert run.exit_status == 0, run.output
    assert run.report["clauses"]["BLK-01"]["status"] == "known failure"
    assert "the row is looked for first" in run.report["clauses"]["BLK-01"]["remark"]


def test_a_known_failure_that_passes_fails_the_run(runs: dict[str, SuiteRun]) -> None:
    run = runs["known passes"]
    assert run.exit_status == 1, run.output
    assert [*run.failed()] == ["test_blacklist.py::test_a_token_is_revoked_once"]


def test_a_known_failure_of_no_test_fails_the_run(runs: dict[str, SuiteRun]) -> None:
    run = runs["known of none"]
    assert run.exit_status == 1, run.output
    assert run.report["problems"] == ["known failure of no test: test_of_nothing"]


def test_a_skip_from_outside_counts_as_a_failure(tmp_path: Path) -> None:
    plugin = tmp_path / "sneaky.py"
    plugin.write_text(
        "import pytest\n"
        "def pytest_runtest_setup(item):\n"
        "    if item.name == 'test_a_token_is_revoked_once':\n"
        "        pytest.skip('not today')\n"
    )
    run = run_suite(MEMORY, "--regstack-clause=BLK-01", "-o", f"pythonpath={tmp_path}", "-p", "sneaky")
    assert run.exit_status == 1, run.output
    assert [*run.failed()] == ["test_blacklist.py::test_a_token_is_revoked_once"]


def test_a_failure_says_the_rule_what_was_done_what_came_why_and_how_to_see_it_again() -> None:
    run = run_suite(harness("RevokesTwice"), "--regstack-clause=BLK-01", "--regstack-seed=7")
    for text in (
        "BLK-01, COM-08, COM-04 does not hold on 'memory'",
        "True for the first caller only.",
        "revoked one token 32 times at once",
        "{'True': 1, 'False': 31}",
        "the unique key must decide",
        "--regstack-seed=7",
    ):
        assert text in run.output


def test_the_lists_of_what_is_not_checked_name_clauses_that_exist() -> None:
    clauses = catalogue()
    assert clauses.keys() >= NOT_CHECKED.keys() | PARTLY_CHECKED.keys()
    assert not NOT_CHECKED.keys() & PARTLY_CHECKED.keys()
    assert "two administrators" in clauses["USR-04"].rule
