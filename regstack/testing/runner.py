"""Runs the suite in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUITE_OPTIONS = (
    "-q",
    *("-p", "regstack.testing.plugin"),
    *("-p", "no:cacheprovider"),
    *("--pyargs", "regstack.testing.suite"),
    *("-c", os.devnull),
    "--rootdir=.",
)
"""How pytest runs the suite wherever it starts, whatever a configuration file there says."""

_EACH = """
import json, sys, pytest
statuses = [int(pytest.main(arguments)) for arguments in json.loads(sys.argv[1])]
with open(sys.argv[2], "w") as target:
    json.dump(statuses, target)
"""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """What a run came to.

    Attributes:
        exit_status: pytest's; 0 where everything passed.
        report: the manifest, empty where the suite did not run.
        output: what pytest printed, for all runs of the same process.
    """

    exit_status: int
    report: Mapping[str, Any]
    output: str

    def failed(self) -> dict[str, list[str]]:
        """Give the clauses of every test that failed, by name of the test."""
        tests: Mapping[str, Any] = self.report.get("tests", {})
        return {name: test["clauses"] for name, test in tests.items() if test["status"] == "failed"}


def run_suite(
    *options: str,
    timeout: float = 600,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> SuiteRun:
    """Run the contract suite once and wait for it.

    Args:
        *options: of pytest and of the suite, `--regstack-url=…` for example.
        timeout: seconds until it is given up.
        folder: where pytest starts, and finds a `conftest.py`; without it, the current one.
        environ: the environment of the process; without it, that of the caller.

    Raises:
        subprocess.TimeoutExpired: it did not end in time.
        RuntimeError: the process broke down.
    """
    (run,) = run_suites([options], timeout=timeout, folder=folder, environ=environ)
    return run


def run_suites(
    runs: Sequence[Sequence[str]],
    *,
    timeout: float = 600,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[SuiteRun]:
    """Run the contract suite several times, one after the other, in one process.

    Args:
        runs: the options of each run.
        timeout: seconds until all of them are given up.
        folder: where pytest starts, and finds a `conftest.py`; without it, the current one.
        environ: the environment of the process; without it, that of the caller.

    Raises:
        subprocess.TimeoutExpired: they did not end in time.
        RuntimeError: the process broke down.
    """
    with tempfile.TemporaryDirectory(prefix="regstack-report-") as place:
        reports = [Path(place, f"{number}.json") for number in range(len(runs))]
        each = [
            [*SUITE_OPTIONS, f"--regstack-report={report}", *options]
            for report, options in zip(reports, runs, strict=True)
        ]
        statuses = Path(place, "statuses.json")
        done = subprocess.run(  # noqa: S603 - this interpreter, and what the caller says
            [sys.executable, "-c", _EACH, json.dumps(each), str(statuses)],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=folder,
            env=environ,
            check=False,
        )
        output = done.stdout + done.stderr
        if not statuses.exists():
            raise RuntimeError(f"the suite broke down:\n{output}")
        return [
            SuiteRun(status, json.loads(report.read_text("utf-8")) if report.exists() else {}, output)
            for status, report in zip(json.loads(statuses.read_text("utf-8")), reports, strict=True)
        ]
