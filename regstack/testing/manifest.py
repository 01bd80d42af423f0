"""What a run of the suite found out, clause by clause."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regstack.backends.protocols import CONTRACT_VERSION
from regstack.testing.clauses import NOT_CHECKED, PARTLY_CHECKED, catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

SUITE = Path(__file__).with_name("suite")


class Status(StrEnum):
    """What became of a test or a clause; for a clause the first that any of its tests has."""

    FAILED = "failed"
    KNOWN_FAILURE = "known failure"
    PASSED = "passed"
    NOT_DECLARED = "not declared"
    """The backend lacks the capability, and was shown to refuse it."""
    NOT_CHECKED = "not checked"
    """The suite, or the harness, has no means to check it."""


@dataclass(slots=True)
class Checked:
    """One test.

    Attributes:
        name: `test_….py::test_…`, with parameters.
        clauses: what it checks.
        status: what became of it.
        reason: why, where it neither passed nor failed.
    """

    name: str
    clauses: tuple[str, ...]
    status: Status = Status.PASSED
    reason: str = ""


@dataclass(slots=True)
class Manifest:
    """Collects what becomes of the tests and draws the conclusions.

    Attributes:
        seed: with which orders were drawn.
        partial: the caller asked for some tests only; there is no verdict then.
        asked: the clauses that were asked for, where it was not all of them.
        backend: `kind`, once a backend was opened.
        capabilities: what it declares.
        known_failures: reasons by test name.
        tests: by name.
        missing: tests of the suite that were not run, or not as they were shipped.
    """

    seed: int
    partial: bool = False
    asked: tuple[str, ...] = ()
    backend: str = "unknown"
    capabilities: tuple[str, ...] = ()
    known_failures: Mapping[str, str] = field(default_factory=dict)
    tests: dict[str, Checked] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def record(self, name: str, clauses: tuple[str, ...], status: Status, reason: str = "") -> None:
        """Note what a phase of a test came to; the worst of its phases counts."""
        checked = self.tests.setdefault(name, Checked(name, clauses))
        if list(Status).index(status) < list(Status).index(checked.status) or checked.status is Status.PASSED:
            checked.status, checked.reason = status, reason

    def known_failure(self, test: str) -> str | None:
        """Give the reason why a test is known to fail, by `test_…` with or without parameters."""
        return self.known_failures.get(test) or self.known_failures.get(test.partition("[")[0])

    def clauses(self) -> dict[str, dict[str, Any]]:
        """Give status, number of tests and remark of each clause and operation."""
        result: dict[str, dict[str, Any]] = {}
        for clause in catalogue():
            tests = [test for test in self.tests.values() if clause in test.clauses]
            found = {test.status for test in tests}
            status = next((each for each in Status if each in found), Status.NOT_CHECKED)
            wanted = Status.NOT_CHECKED if status is Status.PASSED else status
            reasons = {test.reason for test in tests if test.status is wanted and test.reason}
            if clause in PARTLY_CHECKED and status is Status.PASSED:
                reasons.add(PARTLY_CHECKED[clause])
            remark = "; ".join(sorted(reasons))
            if remark and status is Status.PASSED:
                remark = f"in part: {remark}"
            if not tests:
                remark = NOT_CHECKED.get(clause, "no test ran")
            result[clause] = {"status": str(status), "tests": len(tests), "remark": remark}
        return result

    def problems(self) -> list[str]:
        """Say what is wrong with the run itself, one line each."""
        problems = [] if self.partial else [f"not run: {name}" for name in self.missing]
        ran = {test.name.partition("::")[2] for test in self.tests.values()}
        known = catalogue()
        problems += [
            f"{test.name} names {', '.join(test.clauses) or 'no clause'}, which the contract does not have"
            for test in self.tests.values()
            if not test.clauses or not known.keys() >= set(test.clauses)
        ]
        names = ran | {name.partition("[")[0] for name in ran}
        if not self.partial:
            problems += [
                f"known failure of no test: {name}" for name in self.known_failures if name not in names
            ]
            problems += [
                f"no test names the clause {clause}"
                for clause, found in self.clauses().items()
                if not found["tests"] and clause not in NOT_CHECKED
            ]
        return problems

    def verdict(self) -> str:
        """Say `passed`, `failed`, or `partial` where only some tests were asked for."""
        if self.problems() or any(test.status is Status.FAILED for test in self.tests.values()):
            return "failed"
        return "partial" if self.partial else "passed"

    def report(self) -> dict[str, Any]:
        """Put everything in a form that JSON can hold."""
        return {
            "contract_version": ".".join(map(str, CONTRACT_VERSION)),
            "backend": self.backend,
            "capabilities": list(self.capabilities),
            "verdict": self.verdict(),
            "seed": self.seed,
            "asked": list(self.asked),
            "counts": dict(Counter(str(test.status) for test in self.tests.values())),
            "clauses": self.clauses(),
            "tests": {
                test.name: {"status": str(test.status), "clauses": list(test.clauses), "reason": test.reason}
                for test in self.tests.values()
            },
            "problems": self.problems(),
        }


def shipped_tests() -> set[tuple[str, str]]:
    """Give file and name of every test that the suite ships."""
    return {
        (path.name, node.name)
        for path in sorted(SUITE.glob("test_*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
