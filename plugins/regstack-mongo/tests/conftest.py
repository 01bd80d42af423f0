"""Backends over databases of the test's own, on a replica set and on a single server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import MongoClient

from regstack.auth.clock import Clock, FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.testing.builders import Builder
from regstack_mongo.backend import MongoBackend
from tests.servers.mongo import MongoServer

DATABASE = "plugin"

Open = Callable[..., MongoBackend]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))


@pytest.fixture
def make(clock: FrozenClock) -> Builder:
    return Builder(clock)


@pytest.fixture(scope="session")
def standalone() -> Iterator[MongoServer]:
    """A server without a replica set, which the tests leave running."""
    with MongoServer() as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[MongoServer]:
    """A server without a replica set, for a test that kills, stops or blocks it."""
    with MongoServer() as server:
        yield server


@pytest.fixture(params=["replica set", "standalone"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database on each kind of server."""
    if request.param == "standalone":
        found: str = request.getfixturevalue("standalone").url
    else:
        found = request.getfixturevalue("mongo_url")
    return emptied(found)


@pytest.fixture
def standalone_url(standalone: MongoServer) -> str:
    """An empty database on a server without a replica set."""
    return emptied(standalone.url)


def emptied(url: str) -> str:
    with MongoClient[dict[str, Any]](url) as client:
        client.drop_database(DATABASE)
    return with_database(url, DATABASE)


def with_database(url: str, database: str) -> str:
    return url.replace("/?", f"/{database}?", 1)


@pytest.fixture
def raw(url: str) -> Iterator[Any]:
    """The test's database, past the backend."""
    with MongoClient[dict[str, Any]](url, tz_aware=True) as client:
        yield client[DATABASE]


@pytest.fixture
async def open_backend(clock: FrozenClock) -> AsyncIterator[Open]:
    """Build a backend over a URL."""
    opened: list[MongoBackend] = []

    def build(url: str, *, at: Clock | None = None, **settings: Any) -> MongoBackend:
        config = RegStackConfig(database_url=url, **settings)
        opened.append(MongoBackend(config=config, clock=at or clock))
        return opened[-1]

    yield build
    for backend in opened:
        await backend.aclose()


@pytest.fixture
async def backend(open_backend: Open, url: str) -> MongoBackend:
    """A backend with its schema on an empty database."""
    backend = open_backend(url)
    await backend.install_schema()
    return backend


@contextmanager
def failing(url: str, commands: list[str], *, mode: Any = None, **data: Any) -> Iterator[None]:
    """Let the server fail commands of regstack's clients: the first one, unless `mode` says otherwise."""
    with MongoClient[dict[str, Any]](url) as client:
        data = {"failCommands": commands, "appName": "regstack", **data}
        client.admin.command("configureFailPoint", "failCommand", mode=mode or {"times": 1}, data=data)
        try:
            yield
        finally:
            client.admin.command("configureFailPoint", "failCommand", mode="off")


def every_text(error: BaseException | None) -> str:
    """All that an error and what led to it would show."""
    texts = []
    while error is not None:
        texts.append(f"{error} {error!r} {getattr(error, 'details', '')}")
        error = error.__cause__ or error.__context__
    return "\n".join(texts)
