"""Runs the tests that must catch a mutant, each mutant in a process of its own that has everything loaded."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from regstack import RegStack, RegStackConfig
from tests.security.mutant import Misfit, Mutant

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OPTIONS = (
    *("-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"),
    # Mutants may import regstack, and so anyio, before pytest marks its plugins.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
"""Failures are what is wanted: no time is spent on showing them."""

SECONDS_FOR_A_MUTANT = 120
"""A mutant may hang; the signal of the alarm ends its process then."""

BY_AN_ASSERTION = (AssertionError, pytest.fail.Exception)


def registry() -> list[Mutant]:
    """Give all mutants, in the order of their files."""
    found: list[Mutant] = []
    for file in sorted((HERE / "mutants").glob("[!_]*.py")):
        found += import_module(f"tests.security.mutants.{file.stem}").MUTANTS
    return found


def path_of(test: str) -> str:
    """Give a catcher's path below the repository."""
    return test if test.startswith("tests/") else f"tests/security/{test}"


@dataclass
class Verdict:
    """What became of a mutant.

    Attributes:
        caught: tests that failed by an assertion.
        missed: tests that passed, did not run, or failed by something else, with what happened.
    """

    caught: list[str] = field(default_factory=list)
    missed: dict[str, str] = field(default_factory=dict)


class Watch:
    """Runs the tests on one database, and writes down how each of them ended."""

    def __init__(self, database: str) -> None:
        self._database = database
        self.ended: dict[str, set[str]] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if self._runs_here(item)]

    def _runs_here(self, item: Any) -> bool:
        parameters = getattr(item, "callspec", None)
        url = parameters.params.get("database_url") if parameters else None
        return url is None or str(url).startswith(self._database)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> None:
        if "caught" in self.ended.get(_name_of(item), ()):
            pytest.skip("one parameter that misses the defence is enough")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
        report: Any = yield
        if call.when == "call" or call.excinfo is not None:
            ends = self.ended.setdefault(_name_of(item), set())
            ends.add(_end_of(call))
        return report


def _name_of(item: Any) -> str:
    return str(item.nodeid.partition("[")[0])


def _end_of(call: Any) -> str:
    if call.excinfo is None:
        return "passed"
    if call.when == "call" and isinstance(call.excinfo.value, BY_AN_ASSERTION):
        return "caught"
    return f"failed in {call.when} by {call.excinfo.typename}: {str(call.excinfo.value)[:300]}"


def judge(mutant: Mutant) -> Verdict:
    """Apply a mutant to this very process, and run its catchers."""
    verdict, tests = Verdict(), [path_of(test) for test in mutant.caught_by]
    try:
        mutant.change()
    except (Misfit, ImportError, SyntaxError) as misfit:
        verdict.missed = dict.fromkeys(tests, f"the mutant does not fit: {misfit}")
        return verdict
    watch = Watch(mutant.database)
    pytest.main([*OPTIONS, *tests], plugins=[watch])
    for test in tests:
        ends = watch.ended.get(test, {"did not run"})
        if "caught" in ends:
            verdict.caught.append(test)
        else:
            verdict.missed[test] = "; ".join(sorted(ends))
    return verdict


def run_share(share: int, shares: int) -> dict[str, dict[str, Any]]:
    """Judge every mutant of a share, in an interpreter that starts for it and forks for each mutant.

    Raises:
        RuntimeError: the interpreter broke down.
    """
    with tempfile.TemporaryDirectory(prefix="regstack-mutants-") as folder:
        place = Path(folder, "verdicts.json")
        done = subprocess.run(
            [sys.executable, "-m", "tests.security.mutant_runs", str(share), str(shares), str(place)],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode or not place.exists():
            raise RuntimeError(f"the mutants broke down:\n{done.stdout}{done.stderr}")
        return dict(json.loads(place.read_text("utf-8")))


def main(share: int, shares: int, place: Path) -> None:
    """Judge a share and write the verdicts."""
    chosen = registry()[share::shares]
    files = sorted({path_of(test).partition("::")[0] for mutant in chosen for test in mutant.caught_by})
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        # Load what the tests import, and what an instance imports while it is made, so that no fork has to.
        pytest.main([*OPTIONS, "--collect-only", *files])
        settings: dict[str, Any] = {
            "database_url": "memory://",
            "jwt_secret": "s" * 48,
            "enable_ui_router": True,
        }
        instance = RegStack(RegStackConfig(**settings))
        _ = instance.router, instance.ui_router
    gc.collect()
    gc.freeze()
    verdicts = {mutant.defence: _judge_in_a_fork(mutant) for mutant in chosen}
    place.write_text(json.dumps(verdicts), "utf-8")


def _judge_in_a_fork(mutant: Mutant) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(SECONDS_FOR_A_MUTANT)
        status = 1
        try:
            with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
                verdict = judge(mutant)
            with open(writer, "w", encoding="utf-8") as pipe:
                json.dump({"caught": verdict.caught, "missed": verdict.missed}, pipe)
            status = 0
        except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if status or not said:
        return {"caught": [], "missed": dict.fromkeys(mutant.caught_by, f"the process ended with {status}")}
    return dict(json.loads(said))


def survivors(verdicts: dict[str, dict[str, Any]]) -> Sequence[str]:
    """Say in a line each which defence is not watched by which test, and what the test did instead."""
    return [
        f"nobody watches this defence: {defence}\n    {test}: {what}"
        for defence, verdict in verdicts.items()
        for test, what in verdict["missed"].items()
    ]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
