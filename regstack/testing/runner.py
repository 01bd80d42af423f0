"""Runs the suite in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """What a run came to.

    Attributes:
        exit_status: pytest's; 0 where everything passed.
        report: the manifest, empty where the suite did not run.
        output: what pytest printed.
    """

    exit_status: int
    report: Mapping[str, Any]
    output: str

    def failed(self) -> dict[str, list[str]]:
        """Give the clauses of every test that failed, by name of the test."""
        tests: Mapping[str, Any] = self.report.get("tests", {})
        return {name: test["clauses"] for name, test in tests.items() if test["status"] == "failed"}


def run_suite(*options: str, timeout: float = 600) -> SuiteRun:
    """Run the contract suite and wait for it.

    Args:
        *options: of pytest and of the suite, `--regstack-url=…` for example.
        timeout: seconds until it is given up.

    Raises:
        subprocess.TimeoutExpired: it did not end in time.
    """
    with tempfile.TemporaryDirectory(prefix="regstack-report-") as folder:
        path = Path(folder, "report.json")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "regstack.testing.plugin"]
        command += ["-p", "no:cacheprovider", "--pyargs", "regstack.testing.suite"]
        done = subprocess.run(  # noqa: S603 - our own interpreter, with our own arguments
            [*command, f"--regstack-report={path}", *options],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        report = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return SuiteRun(done.returncode, report, done.stdout + done.stderr)
