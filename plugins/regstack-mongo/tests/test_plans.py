"""No operation reads a whole collection: each is played among twenty thousand accounts, and profiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.testing.builders import Builder
from regstack_mongo.backend import MongoBackend
from tests.operations import operations_of
from tests.plans import ACCOUNTS, MAY_SCAN, START
from tests.population import Population, fill_mongo
from tests.servers.mongo import MongoServer

from .conftest import with_database

pytestmark = pytest.mark.anyio

DATABASE = "plans"
MOST_ROWS = 100
"""Documents, or entries of indexes, that an operation may look at; no collection has less than 200."""

SORTS = "users.list_page, by a prefix", "users.list_page, of administrators by a prefix"
"""What two indexes gave is sorted by id: as much as matches, and no more."""


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture(scope="module")
async def filled(standalone: MongoServer) -> str:
    url = with_database(standalone.url, DATABASE)
    backend = MongoBackend(config=RegStackConfig(database_url=url), clock=FrozenClock(START))
    await backend.install_schema()
    await backend.aclose()
    fill_mongo(url, Population(ACCOUNTS, START))
    return url


@pytest.fixture
def profile(filled: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Give what the server did since the last call."""
    with MongoClient[dict[str, Any]](filled) as client:
        database = client[DATABASE]

        def read() -> list[dict[str, Any]]:
            database.command("profile", 0)
            done = list(database["system.profile"].find())
            database["system.profile"].drop()
            database.command("profile", 2)
            return done

        read()
        yield read
        database.command("profile", 0)


@pytest.fixture
def scanning(standalone: MongoServer) -> Iterator[Callable[[bool], None]]:
    """Let the server scan, or refuse to, inside of `$unionWith` too, which no profile shows."""
    with MongoClient[dict[str, Any]](standalone.url) as client:

        def allow(scans: bool) -> None:
            client.admin.command({"setParameter": 1, "notablescan": not scans})

        yield allow
        allow(True)


def faults(entry: dict[str, Any]) -> Iterator[str]:
    """Say what is wrong with the way in which something was found."""
    if "COLLSCAN" in entry.get("planSummary", ""):
        yield "a scan"
    if entry.get("hasSortStage"):
        yield "a sort"
    looked_at = max(entry.get("docsExamined", 0), entry.get("keysExamined", 0))
    if looked_at > MOST_ROWS:
        yield f"{looked_at} looked at"


async def test_no_operation_reads_a_whole_collection(
    filled: str,
    clock: FrozenClock,
    open_backend: Callable[..., MongoBackend],
    profile: Callable[[], list[dict[str, Any]]],
    scanning: Callable[[bool], None],
) -> None:
    backend = open_backend(filled)
    operations = await operations_of(backend, Builder(clock))
    found = {}
    profile()
    for name, operation in operations.items():
        scanning(name in MAY_SCAN)
        await operation()
        scanning(True)
        entries = profile()
        assert entries
        wrong = {fault for entry in entries for fault in faults(entry)}
        if wrong - ({"a sort"} if name.startswith(SORTS) else set()):
            found[name] = wrong
    assert found.keys() <= MAY_SCAN.keys(), found
