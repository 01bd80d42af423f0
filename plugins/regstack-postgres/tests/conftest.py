"""Backends over a database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.models.ids import new_id
from regstack.models.user import User
from regstack.testing.fixtures import answered
from regstack_postgres.backend import PostgresBackend
from tests.process import Process
from tests.servers.databases import PostgresDatabases
from tests.servers.postgres import PostgresServer

WORKER = Path(__file__).with_name("worker.py")

OpenBackend = Callable[..., PostgresBackend]
MakeUser = Callable[..., User]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))


@pytest.fixture
def empty_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """A database without tables."""
    url = postgres_databases.empty()
    yield url
    postgres_databases.drop(url)


@pytest.fixture
def url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """A database with the schema."""
    url = postgres_databases.migrated(new=True)
    yield url
    postgres_databases.drop(url)


@pytest.fixture
async def build(clock: FrozenClock) -> AsyncIterator[OpenBackend]:
    """Build backends from settings; they are closed after the test."""
    opened: list[PostgresBackend] = []

    def build(**settings: Any) -> PostgresBackend:
        opened.append(PostgresBackend(config=RegStackConfig(**settings), clock=clock))
        return opened[-1]

    yield build
    for backend in opened:
        await backend.aclose()


@pytest.fixture
def open_backend(url: str, build: OpenBackend) -> OpenBackend:
    """Build backends over the test's database, which outlives them, unless `database_url` says otherwise."""
    return lambda **settings: build(**({"database_url": url} | settings))


@pytest.fixture
def backend(open_backend: OpenBackend) -> PostgresBackend:
    return open_backend()


@pytest.fixture
def make_user(clock: FrozenClock) -> MakeUser:
    numbers = count(1)

    def make(**fields: Any) -> User:
        clock.advance(timedelta(milliseconds=1))
        address = fields.pop("email", f"user{next(numbers)}@example.com")
        values = {"email_key": address, "hashed_password": "$hash", "now": clock.now()} | fields
        return User.new(id=new_id(clock), email=address, **values)

    return make


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of the test's own, which may be killed; what it acknowledged survives."""
    with PostgresServer(durable=True) as server:
        yield server


@pytest.fixture
async def on_server(server: PostgresServer, build: OpenBackend) -> PostgresBackend:
    """A backend on the test's own server, with the schema."""
    backend = build(database_url=server.url, db_pool_size=3)
    await backend.install_schema()
    return backend


@pytest.fixture
async def hurried(server: PostgresServer, on_server: PostgresBackend, build: OpenBackend) -> PostgresBackend:
    """Another one, connected, that is quick to give up: what must succeed is asked until it is `answered`."""
    backend = build(
        database_url=server.url, db_timeout_seconds=1.0, db_connect_timeout_seconds=0.5, db_pool_size=3
    )
    await answered(backend.ping)
    return backend


@pytest.fixture
async def administer(url: str) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Ask the test's database something, on a connection apart."""
    connection = await asyncpg.connect(url)
    yield connection.fetchval
    await connection.close(timeout=5)


@pytest.fixture
def run_together() -> Iterator[Callable[..., list[list[str]]]]:
    """Run a command in several processes that begin at once; give the lines that each printed."""
    started: list[Process] = []

    def run(number: int, command: str, url: str, *arguments: str) -> list[list[str]]:
        started.extend(Process(WORKER, command, url, *arguments) for _ in range(number))
        for process in started:
            process.await_ready()
        for process in started:
            process.begin()
        return [process.end() for process in started]

    yield run
    for process in started:
        process.stop()
