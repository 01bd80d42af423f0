"""Everything at once for a while: no error, and nothing that grows.

`make soak` does so for `REGSTACK_TEST_SOAK_SECONDS` (1800), a third of it on each backend.
"""

from __future__ import annotations

import inspect
import itertools
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import httpx2
import pytest
from pymongo import MongoClient

from tests.workers.crowd import Crowd
from tests.workers.server import DEADLINE_SECONDS, Workers

pytestmark = pytest.mark.anyio

POOL = 5
"""Connections of a worker, which opens them, with up to three files each, as they are needed."""

SOAK_SECONDS = float(os.environ.get("REGSTACK_TEST_SOAK_SECONDS", "1800"))
LENGTHS = [
    pytest.param(3, 3, 1.0, 4000, id="short"),
    pytest.param(8, 10, SOAK_SECONDS / 3, 500, id="long", marks=pytest.mark.soak),
]
"""People, laps after the first, seconds in all, and objects that a lap may leave beside those of its calls.

Who has begun a life ends it. In a short run caches still fill, such as that of statements on each connection.
"""

MOST_OBJECTS_A_CALL = 0.1
MOST_KIB_A_LAP, MOST_KIB_A_CALL = 2048, 0.1

Connections = Callable[[Workers], Any]
Held = dict[str, int]


@pytest.fixture(params=["sqlite", "postgres", "mongo"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Connections, int]]:
    """A database on each backend, what counts its connections, and how many there may be."""
    if request.param == "postgres":
        databases = request.getfixturevalue("postgres_databases")
        url = databases.empty()
        yield url, lambda _: of_postgres(url), 2 * POOL
        databases.drop(url)
    elif request.param == "mongo":
        url = request.getfixturevalue("mongo_databases").emptied("soak")
        before = of_mongo(url)
        # Two connections of each worker's driver look after the server; those that count come and go.
        yield url, lambda _: of_mongo(url) - before, 2 * (POOL + 2) + 4
    else:
        # Each connection has the database and its log open; all of a process share one map of the log.
        yield f"sqlite+aiosqlite:///{tmp_path}/soak.db", of_sqlite, 2 * (2 * (POOL + 1) + 1)


def of_sqlite(workers: Workers) -> int:
    """Count the files of the database that workers have open, where Linux tells it."""
    folders = [Path(f"/proc/{worker.pid}/fd") for worker in workers.workers]
    count = 0
    for each in (each for folder in folders if folder.exists() for each in folder.iterdir()):
        with suppress(FileNotFoundError):  # closed since it was listed, as the connection of the last answer
            count += "soak.db" in os.readlink(each)
    return count


async def of_postgres(url: str) -> int:
    connection = await asyncpg.connect(url)
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    try:
        return int(await connection.fetchval(f"{others} AND pid <> pg_backend_pid()"))
    finally:
        await connection.close()


def of_mongo(url: str) -> int:
    with MongoClient[dict[str, Any]](url) as client:
        return int(client.admin.command("serverStatus")["connections"]["current"])


@asynccontextmanager
async def asking(workers: Workers) -> AsyncIterator[Callable[[], Any]]:
    """Ask workers what they hold, on connections that are closed after each answer."""
    async with httpx2.AsyncClient(timeout=60, headers={"connection": "close"}) as client:

        async def ask() -> list[Held]:
            return [(await client.get(f"{each.url}/insides")).json() for each in workers.workers]

        yield ask


@pytest.mark.parametrize(("people", "laps", "seconds", "objects"), LENGTHS)
async def test_under_mixed_load_nothing_fails_and_nothing_grows(
    people: int,
    laps: int,
    seconds: float,
    objects: int,
    storage: tuple[str, Connections, int],
    tmp_path: Path,
) -> None:
    url, count, most = storage
    (tmp_path / "mails").mkdir()
    with Workers(url, tmp_path / "mails", db_pool_size=POOL, purge_interval_seconds=10) as workers:
        crowd = Crowd([each.url for each in workers.workers], tmp_path / "mails")
        calls: list[int] = []
        quiet: list[list[Held]] = []
        async with asking(workers) as ask:
            for _ in range(1 + laps):  # the first fills caches and pools
                calls.append(await crowd.lap(people, seconds / (1 + laps)))
                assert crowd.unexpected == []
                quiet.append(await settled(ask, quiet[0]) if quiet else await ask())
                connections = count(workers)
                if inspect.isawaitable(connections):
                    connections = await connections
                assert connections <= most
    growth = {name: growth_of_a_lap(quiet, name) for name in quiet[0][0]}
    told = {
        "calls": sum(calls),
        "growth of a lap": growth,
        "connections": connections,
        "first": quiet[0],
        "last": quiet[-1],
    }
    print(told)
    calls_a_worker = statistics.median(calls[1:]) / len(workers.workers)
    assert growth["objects"] <= objects + MOST_OBJECTS_A_CALL * calls_a_worker, told
    assert growth["resident_kib"] <= MOST_KIB_A_LAP + MOST_KIB_A_CALL * calls_a_worker, told
    for name in ("tasks", "threads", "files"):
        assert growth[name] <= POOL, told


async def settled(ask: Callable[[], Any], first: list[Held]) -> list[Held]:
    """Wait until tasks and open files are as few as they were, but for pools; fail where they never are."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        now: list[Held] = await ask()
        pairs = list(zip(now, first, strict=True))
        if all(
            each[name] <= before[name] + 3 * POOL for each, before in pairs for name in ("tasks", "files")
        ):
            return now
        assert time.monotonic() < deadline, f"tasks or files grow: {now}, and at first {first}"
        await anyio.sleep(0.02)


def growth_of_a_lap(quiet: list[list[Held]], name: str) -> float:
    """The usual growth from lap to lap, on the worker that grows most: one jump is no slope."""
    each = [[held[name] for held in worker] for worker in zip(*quiet, strict=True)]
    return max(
        statistics.median(later - earlier for earlier, later in itertools.pairwise(values)) for values in each
    )
