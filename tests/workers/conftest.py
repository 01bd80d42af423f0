from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest

from tests.workers.server import Caller, Person, Workers, registered


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mongo"])
def workers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Two workers on each backend, started once for all tests of a file."""
    folder = tmp_path_factory.mktemp("workers")
    url = f"sqlite+aiosqlite:///{folder}/regstack.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_databases").empty()
    elif request.param == "mongo":
        url = request.getfixturevalue("mongo_databases").emptied("workers")
    (folder / "mails").mkdir()
    with Workers(url, folder / "mails") as running:
        yield running
    if request.param == "postgres":
        request.getfixturevalue("postgres_databases").drop(url)


@pytest.fixture(scope="module")
async def callers(workers: Workers) -> AsyncIterator[list[Caller]]:
    """One client for each worker."""
    callers = [
        Caller(httpx2.AsyncClient(base_url=worker.url, timeout=60), workers.mails)
        for worker in workers.workers
    ]
    yield callers
    for caller in callers:
        await caller.client.aclose()


@pytest.fixture
def one(callers: list[Caller]) -> Caller:
    """The worker on which something is done."""
    return callers[0]


@pytest.fixture
def other(callers: list[Caller]) -> Caller:
    """The worker that did not see it."""
    return callers[1]


@pytest.fixture(scope="module")
def new_address() -> Callable[[], str]:
    """Give an address that nobody has."""
    numbers = itertools.count(1)
    return lambda: f"person{next(numbers)}@example.com"


@pytest.fixture
async def person(one: Caller, other: Caller, new_address: Callable[[], str]) -> Person:
    """Somebody who is signed in."""
    return await registered(one, other, new_address())
