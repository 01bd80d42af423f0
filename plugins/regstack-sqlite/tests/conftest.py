"""Backends over a file of the test's own."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.models.ids import new_id
from regstack.models.user import User
from regstack_sqlite.backend import SqliteBackend
from tests.process import Process

WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.db"


@pytest.fixture
async def open_backend(path: Path, clock: FrozenClock) -> AsyncIterator[Callable[..., SqliteBackend]]:
    """Build a backend, over the test's file unless `database_url` says otherwise."""
    opened: list[SqliteBackend] = []

    def build(**settings: Any) -> SqliteBackend:
        settings = {"database_url": f"sqlite+aiosqlite:///{path}"} | settings
        opened.append(SqliteBackend(config=RegStackConfig(**settings), clock=clock))
        return opened[-1]

    yield build
    for backend in opened:
        await backend.aclose()


@pytest.fixture
async def backend(open_backend: Callable[..., SqliteBackend]) -> SqliteBackend:
    backend = open_backend()
    await backend.install_schema()
    return backend


@pytest.fixture
def make_user(clock: FrozenClock) -> Callable[..., User]:
    numbers = count(1)

    def make(**fields: Any) -> User:
        clock.advance(timedelta(milliseconds=1))
        address = fields.pop("email", f"user{next(numbers)}@example.com")
        values = {"email_key": address, "hashed_password": "$hash", "now": clock.now()} | fields
        return User.new(id=new_id(clock), email=address, **values)

    return make


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL that connections opened from now on run."""
    statements: list[str] = []
    connect = sqlite3.connect

    def traced_connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced_connect)
    return statements


@pytest.fixture
def start(path: Path) -> Iterator[Callable[..., Process]]:
    """Start a worker on the test's file."""
    started: list[Process] = []

    def start_one(command: str, *arguments: str) -> Process:
        started.append(Process(WORKER, command, f"sqlite:///{path}", *arguments))
        return started[-1]

    yield start_one
    for process in started:
        process.stop()


@pytest.fixture
def run_together(start: Callable[..., Process]) -> Callable[..., list[list[str]]]:
    """Run a command in several processes that begin at once; give the lines that each printed."""

    def run(number: int, command: str, *arguments: str) -> list[list[str]]:
        processes = [start(command, *arguments) for _ in range(number)]
        for process in processes:
            process.await_ready()
        for process in processes:
            process.begin()
        return [process.end() for process in processes]

    return run
