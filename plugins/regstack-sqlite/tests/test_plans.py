"""No operation reads a whole table: each is played in a file of twenty thousand accounts."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.testing.builders import Builder
from regstack_sqlite.backend import SqliteBackend
from tests.operations import operations_of
from tests.plans import ACCOUNTS, MAY_SCAN, START
from tests.population import Population, fill_sqlite

pytestmark = pytest.mark.anyio

STEPS_AT_ONCE = 10
MOST_STEPS = 1500
"""Instructions of SQLite's machine; a scan takes some ten for each row, and no table has less than 200."""

BOUNDED = {
    "SCAN CONSTANT ROW",
    "SCAN anchor",  # one row, made up
    "SCAN given VIRTUAL TABLE INDEX 1:",  # the keys
    "SCAN found",  # what two ranges gave
    "SCAN regstack_users USING INDEX sqlite_autoindex_regstack_users_1",  # in the order of ids, up to a limit
}
FEW = "superusers_idx"
"""An index that may be read as a whole: it has the administrators alone."""


class Watch:
    """What the connections opened from now on do."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.steps = 0

    def begin(self) -> None:
        self.statements.clear()
        self.steps = 0

    def step(self) -> None:
        self.steps += STEPS_AT_ONCE


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    connect = sqlite3.connect

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(watch.statements.append)
        connection.set_progress_handler(watch.step, STEPS_AT_ONCE)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    return watch


@pytest.fixture(scope="module")
async def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all the accounts."""
    path = tmp_path_factory.mktemp("plans") / "accounts.db"
    config = RegStackConfig(database_url=f"sqlite:///{path}")
    backend = SqliteBackend(config=config, clock=FrozenClock(START))
    await backend.install_schema()
    await backend.aclose()
    fill_sqlite(str(path), Population(ACCOUNTS, START))
    return path


def scans(explaining: sqlite3.Connection, statement: str) -> set[str]:
    """Give the lines of a plan that read a table or an index from its beginning."""
    plan = explaining.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    lines = {line for *_, line in plan if line.startswith("SCAN") and not line.endswith(FEW)}
    return lines - BOUNDED


async def readers(backend: SqliteBackend, watch: Watch) -> dict[str, tuple[int, set[str]]]:
    """Play everything; give what reads too much, with its steps and what it scans."""
    assert backend.path is not None
    operations = await operations_of(backend, Builder(backend.clock))
    explaining = sqlite3.connect(backend.path)
    explaining.execute("PRAGMA foreign_keys = ON")
    found = {}
    for name, operation in operations.items():
        watch.begin()
        await operation()
        steps, statements = watch.steps, [*watch.statements]
        assert statements
        lines = {line for statement in statements for line in scans(explaining, statement)}
        if lines or steps > MOST_STEPS:
            found[name] = steps, lines
    explaining.close()
    await backend.aclose()
    return found


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


async def test_no_operation_reads_a_whole_table(
    template: Path, path: Path, open_backend: Callable[..., SqliteBackend], watch: Watch
) -> None:
    shutil.copy(template, path)
    found = await readers(open_backend(), watch)
    assert found.keys() <= MAY_SCAN.keys(), found


async def test_without_any_one_of_the_indexes_an_operation_would(
    template: Path, path: Path, open_backend: Callable[..., SqliteBackend], watch: Watch
) -> None:
    with sqlite3.connect(template) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        indexes = [name for (name,) in connection.execute(query)]
    connection.close()
    assert len(indexes) >= 10
    idle = []
    for index in indexes:
        copy = path.with_name(f"{index}.db")
        shutil.copy(template, copy)
        with sqlite3.connect(copy) as connection:
            connection.execute(f"DROP INDEX {index}")
        connection.close()
        found = await readers(
            open_backend(database_url=f"sqlite:///{copy}", sqlite_synchronous="NORMAL"), watch
        )
        if found.keys() <= MAY_SCAN.keys():
            idle.append(index)
    assert idle == []
