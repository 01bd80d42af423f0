"""Repository operations on SQLite, and the drivers below them."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiosqlite
import pytest

from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack.models.ids import new_id
from regstack.models.user import User
from regstack_sqlite.backend import SqliteBackend

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from benchmarks.conftest import Compare

READS = 500
WRITES = 50
POINT_READ = "SELECT id, text, number FROM rows WHERE id = ?"
WRITE = "UPDATE rows SET number = number + 1 WHERE id = ?"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def floor_path(tmp_path: Path) -> Path:
    """A database of one small table, in the same mode as the backend's."""
    path = tmp_path / "floor.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, text TEXT, number INTEGER) WITHOUT ROWID")
    connection.execute("INSERT INTO rows VALUES ('x', 'alice@example.com', 0)")
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def raw(floor_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(floor_path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    yield connection
    connection.close()


@pytest.fixture
def driver(runner: asyncio.Runner, floor_path: Path) -> Iterator[aiosqlite.Connection]:
    async def connect() -> aiosqlite.Connection:
        connection = await aiosqlite.connect(floor_path, isolation_level=None)
        await connection.execute("PRAGMA synchronous = FULL")
        return connection

    connection = runner.run(connect())
    yield connection
    runner.run(connection.close())


@pytest.fixture
def backend(runner: asyncio.Runner, tmp_path: Path) -> Iterator[SqliteBackend]:
    config = RegStackConfig(database_url=f"sqlite+aiosqlite:///{tmp_path}/regstack.db")
    backend = SqliteBackend(config=config, clock=SystemClock())
    runner.run(backend.install_schema())
    yield backend
    runner.run(backend.aclose())


@pytest.fixture
def user(runner: asyncio.Runner, backend: SqliteBackend) -> User:
    clock = SystemClock()
    email = "alice@example.com"
    user = User.new(id=new_id(clock), email=email, email_key=email, hashed_password=None, now=clock.now())
    return runner.run(backend.users.create(user))


def repeat(
    runner: asyncio.Runner, times: int, operation: Callable[[], Awaitable[Any]]
) -> Callable[[], float]:
    """Measure `times` operations, one after the other."""

    async def work() -> float:
        start = time.process_time()
        for _ in range(times):
            await operation()
        return time.process_time() - start

    return lambda: runner.run(work())


def repeat_raw(times: int, operation: Callable[[], Any]) -> Callable[[], float]:
    """Measure `times` operations that block."""

    def work() -> float:
        start = time.process_time()
        for _ in range(times):
            operation()
        return time.process_time() - start

    return work


def test_point_reads(
    compare: Compare,
    runner: asyncio.Runner,
    raw: sqlite3.Connection,
    driver: aiosqlite.Connection,
    backend: SqliteBackend,
    user: User,
) -> None:
    compare(
        "SQLite point reads",
        floor="aiosqlite",
        aiosqlite=repeat(runner, READS, lambda: driver.execute_fetchall(POINT_READ, ("x",))),
        sqlite3_in_the_same_thread=repeat_raw(READS, lambda: raw.execute(POINT_READ, ("x",)).fetchall()),
        users_get_by_id=repeat(runner, READS, lambda: backend.users.get_by_id(user.id)),
        users_get_by_email=repeat(runner, READS, lambda: backend.users.get_by_email(user.email_key)),
        users_get_token_subject=repeat(
            runner, READS, lambda: backend.users.get_token_subject(user.id, jti="unknown")
        ),
    )


def test_writes(
    compare: Compare,
    runner: asyncio.Runner,
    raw: sqlite3.Connection,
    driver: aiosqlite.Connection,
    backend: SqliteBackend,
    user: User,
) -> None:
    now, minute = datetime.now(UTC), timedelta(minutes=1)
    # A login that is not later than the one before would write nothing.
    seconds = itertools.count(1)
    compare(
        "SQLite writes, one commit each",
        floor="aiosqlite",
        aiosqlite=repeat(runner, WRITES, lambda: driver.execute_fetchall(WRITE, ("x",))),
        sqlite3_in_the_same_thread=repeat_raw(WRITES, lambda: raw.execute(WRITE, ("x",)).fetchall()),
        users_record_login=repeat(
            runner,
            WRITES,
            lambda: backend.users.record_login(user.id, now + timedelta(seconds=next(seconds))),
        ),
        attempts_claim=repeat(
            runner, WRITES, lambda: backend.attempts.claim("key", limit=5, window=minute, now=now)
        ),
    )
