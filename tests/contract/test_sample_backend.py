"""A backend of somebody else: installed as anyone would, found by its entry point, proven by the suite."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from regstack.testing.clauses import NOT_CHECKED
from regstack.testing.runner import run_suite
from tests.servers.redis import RedisServer

SAMPLE = Path(__file__).with_name("sample_backend")
BIN = Path(sys.executable).parent

ALLOWED = {
    "regstack.auth.clock",
    "regstack.backends.base",
    "regstack.backends.protocols",
    "regstack.config.schema",
    "regstack.errors",
    "regstack.hookimpl",
}


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of processes that see the distribution, installed in a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    command = [BIN / "uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", folder]
    command += ["--no-deps", "--no-build-isolation", "--offline", SAMPLE]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with RedisServer() as server:
        yield server.url


def test_doctor_finds_the_distribution_by_its_entry_point(environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        [BIN / "regstack", "doctor", "--list-backends", "--json"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    (record,) = [each for each in json.loads(done.stdout)["backends"] if each["name"] == "redis"]
    assert record["state"] == "ok"
    assert record["distribution"] == "regstack-redis-sample"
    assert record["url_schemes"] == ["redis", "rediss"]


def test_listing_it_imports_neither_driver_nor_pydantic(environ: Mapping[str, str]) -> None:
    code = (
        "import sys\n"
        "from regstack_redis_sample import plugin\n"
        "plugin.regstack_backend_info()\n"
        "print([name for name in ('redis', 'pydantic') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_it_keeps_every_clause(
    environ: Mapping[str, str], url: str, publish: Callable[[Mapping[str, Any]], None]
) -> None:
    run = run_suite(folder=SAMPLE / "tests", environ={**environ, "REGSTACK_TEST_REDIS_URL": url})
    if run.report:
        publish(run.report)
    assert run.exit_status == 0, run.output
    assert (run.report["backend"], run.report["verdict"]) == ("redis", "passed")
    statuses = {name: clause["status"] for name, clause in run.report["clauses"].items()}
    assert {name for name, status in statuses.items() if status != "passed"} <= set(NOT_CHECKED)
    left = {name for name, test in run.report["tests"].items() if test["status"] != "passed"}
    assert left == {"test_faults.py::test_a_server_that_is_killed_has_lost_nothing_and_is_used_again"}


def test_it_imports_of_core_only_what_a_third_party_may() -> None:
    sources = sorted((SAMPLE / "regstack_redis_sample").glob("*.py"))
    assert sources
    imported = set()
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                root = node.module == "regstack"
                imported |= {f"regstack.{alias.name}" for alias in node.names} if root else {str(node.module)}
    core = {name for name in imported if name.partition(".")[0] == "regstack"}
    assert {name for name in core - ALLOWED if not name.startswith("regstack.models.")} == set()


@pytest.mark.soak
def test_it_keeps_every_clause_when_races_are_repeated(environ: Mapping[str, str], url: str) -> None:
    given = {**environ, "REGSTACK_TEST_REDIS_URL": url}
    run = run_suite("--regstack-thorough", folder=SAMPLE / "tests", environ=given, timeout=3600)
    assert run.exit_status == 0, run.output
