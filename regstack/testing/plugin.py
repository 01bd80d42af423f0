"""pytest plugin of the contract suite.

::

    pytest -p regstack.testing.plugin --pyargs regstack.testing.suite \
        --regstack-backend acme --regstack-url acme://…

Where more is to be said about a backend, give a `Harness`: with `--regstack-harness`, or as a
session fixture named `harness` in the `conftest.py` of the folder in which pytest starts.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from regstack.testing import harness as harnesses
from regstack.testing.manifest import SUITE, Manifest, Status, shipped_tests
from regstack.testing.table import draw

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from regstack.testing.harness import Harness

pytest_plugins = ["regstack.testing.fixtures"]

_Skipped: Any = pytest.skip.Exception

MANIFEST = pytest.StashKey[Manifest]()


class NotDeclared(_Skipped):  # type: ignore[misc]
    """The test needs a capability that the backend does not declare."""


class NotAvailable(_Skipped):  # type: ignore[misc]
    """The test needs something that the harness does not have."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suite."""
    group = parser.getgroup("regstack", "storage contract of regstack")
    group.addoption("--regstack-backend", metavar="NAME", help="name of the backend, as in its BackendInfo")
    group.addoption(
        "--regstack-url",
        metavar="URL",
        help="its database URL; {tmp} in it becomes a temporary folder, {unique} a random word",
    )
    group.addoption("--regstack-harness", metavar="MODULE:NAME", help="a Harness, in place of the URL")
    group.addoption("--regstack-thorough", action="store_true", help="repeat each contest more often")
    group.addoption("--regstack-report", metavar="FILE.json", help="where to write what was found")
    group.addoption("--regstack-seed", type=int, metavar="N", help="draw the same orders once more")
    group.addoption(
        "--regstack-partial",
        action="store_true",
        help="only some tests are asked for: those left out do not fail the run, and it has no verdict",
    )
    group.addoption(
        "--regstack-clause",
        action="append",
        default=[],
        metavar="NAME",
        help="run only the tests of this clause, COM-06 for example; implies --regstack-partial",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and begin the manifest."""
    config.addinivalue_line("markers", "clause(name, ...): clauses of the contract that the test checks")
    config.addinivalue_line("markers", "needs(capability, ...): capabilities that the test needs")
    seed = config.getoption("--regstack-seed")
    config.stash[MANIFEST] = Manifest(
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        partial=config.getoption("--regstack-partial") or bool(config.getoption("--regstack-clause")),
        asked=tuple(config.getoption("--regstack-clause")),
    )


@pytest.fixture(scope="session")
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """Open the backend that the options name; override it in a `conftest.py` to say more."""
    options = request.config.option
    if options.regstack_harness:
        made = harnesses.load_harness(options.regstack_harness)
    elif options.regstack_url:
        made = harnesses.UrlHarness(options.regstack_url, options.regstack_backend)
    else:
        raise pytest.UsageError("give --regstack-url or --regstack-harness, or a `harness` fixture")
    yield made
    made.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Pick the tests of a clause; find out which tests are missing, or are not what was shipped."""
    wanted = set(config.getoption("--regstack-clause"))
    if wanted:
        left_out = [item for item in items if _of_suite(item) and wanted.isdisjoint(_clauses(item))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    suite = [item for item in items if _of_suite(item)]
    if not suite:
        return
    collected = {
        (item.path.name, item.originalname)
        for item in suite
        if isinstance(item, pytest.Function) and Path(item.function.__code__.co_filename) == item.path
    }
    missing = sorted(shipped_tests() - collected)
    config.stash[MANIFEST].missing = [f"{path}::{name}" for path, name in missing]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record what a test came to; a skip counts as failure, a known failure must fail."""
    report = yield
    if not _of_suite(item):
        return report
    manifest = item.config.stash[MANIFEST]
    name = f"{item.path.name}::{item.name}"
    known = manifest.known_failure(item.name)
    error = call.excinfo.value if call.excinfo is not None else None
    clauses = getattr(error, "clauses", ()) or _clauses(item)
    if isinstance(error, NotDeclared | NotAvailable):
        status = Status.NOT_DECLARED if isinstance(error, NotDeclared) else Status.NOT_CHECKED
        manifest.record(name, clauses, status, str(error.msg))
        return report
    if report.skipped or hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = "a test of the contract was skipped; declare a known failure in the harness instead"
        vars(report).pop("wasxfail", None)
    elif known is not None and report.failed:
        report.outcome = "skipped"
        report.wasxfail = f"known failure: {known}"
        manifest.record(name, clauses, Status.KNOWN_FAILURE, known)
        return report
    elif known is not None and report.when == "call":
        report.outcome = "failed"
        report.longrepr = f"a known failure passes; take it out of the harness: {known}"
    if report.failed:
        manifest.record(name, clauses, Status.FAILED)
    elif report.when == "call":
        manifest.record(name, clauses, Status.PASSED)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, and fail the run where the suite was not run as shipped."""
    manifest = session.config.stash[MANIFEST]
    if not manifest.tests:
        return
    if manifest.verdict() == "failed" and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    target = session.config.getoption("--regstack-report")
    if target:
        Path(target).write_text(json.dumps(manifest.report(), indent=2) + "\n", "utf-8")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table of clauses."""
    manifest = config.stash[MANIFEST]
    if manifest.tests:
        terminalreporter.section(f"storage contract, seed {manifest.seed}")
        terminalreporter.write_line(draw([manifest.report()]))


def pytest_report_header(config: pytest.Config) -> str:
    """Say what draws the orders."""
    return f"regstack contract: seed {config.stash[MANIFEST].seed}"


def _clauses(item: pytest.Item) -> tuple[str, ...]:
    return tuple(name for marker in item.iter_markers("clause") for name in marker.args)


def _of_suite(item: pytest.Item) -> bool:
    return item.path.parent == SUITE
