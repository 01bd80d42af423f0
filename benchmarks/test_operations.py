"""Repository operations over the raw driver that does the same on the wire."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pymongo
import pytest

from benchmarks.databases import BACKENDS, Database, databases
from benchmarks.floors import AiosqliteFloor, AsyncpgFloor, Floor, PymongoFloor
from benchmarks.rounds import in_turns, ratio
from regstack.testing.builders import HOUR, Builder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from benchmarks.figures import Figures

    Operation = Callable[[int], Awaitable[Any]]

ACCOUNTS = 1000
READS, WRITES = 300, 50
TASKS = (1, 50)
"""How many ask at once; writes that wait for a journal one by one are measured with fewer."""
GOALS = {"sqlite": 2.0, "postgres": 1.3, "mongo": 1.3}
ABOVE = "above the driver: the deadline, errors and cancelled tasks, the domain value"
"""Where the rest goes when a goal is missed; docs/performance.md has it by backend."""
SECONDS = 10.0
"""A deadline that nothing meets."""
DRIVERS = {"sqlite": "aiosqlite", "postgres": "asyncpg's pool", "mongo": "PyMongo"}


@dataclass
class Pair:
    """A backend, and the driver below it, over the same database."""

    kind: str
    runner: asyncio.Runner
    database: Database
    floor: Floor


@pytest.fixture(scope="module", params=BACKENDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("operations")
    with (
        asyncio.Runner() as runner,
        databases(request.param, request, folder, runner, ACCOUNTS) as (database,),
    ):
        floor = runner.run(connected(request.param, database.url))
        yield Pair(request.param, runner, database, floor)
        runner.run(floor.aclose())


async def connected(kind: str, url: str) -> Floor:
    if kind == "sqlite":
        return await AiosqliteFloor.connect(url.removeprefix("sqlite:///"))
    return await AsyncpgFloor.connect(url) if kind == "postgres" else PymongoFloor(url)


def operations(pair: Pair, tasks: int) -> dict[str, tuple[int, Operation, Operation]]:
    """Give for each operation how often it is done, its floor and itself; each takes a number."""
    writes = WRITES if tasks > 1 or pair.kind != "mongo" else WRITES // 3
    backend, floor, sample = pair.database.backend, pair.floor, pair.database.population.sample
    make, now = Builder(backend.clock), backend.clock.now()
    users, later, window = backend.users, now + HOUR, timedelta(minutes=15)

    def user_id(number: int) -> str:
        return sample[number % len(sample)].id

    def email_key(number: int) -> str:
        return sample[number % len(sample)].email_key

    def moment(number: int) -> Any:  # a login that is not later than the one before would write nothing
        return now + timedelta(seconds=number)

    return {
        "get_token_subject": (
            READS,
            lambda n: floor.get_token_subject(user_id(n), "unknown", now),
            lambda n: users.get_token_subject(user_id(n), jti="unknown"),
        ),
        "get_by_id": (READS, lambda n: floor.get_by_id(user_id(n)), lambda n: users.get_by_id(user_id(n))),
        "find_login_subject": (
            READS,
            lambda n: floor.find_login_subject(email_key(n), now),
            lambda n: users.find_login_subject(email_key(n)),
        ),
        "claim": (
            writes,
            lambda n: floor.claim(f"floor{n % 100}", now, now + window),
            lambda n: backend.attempts.claim(f"ours{n % 100}", limit=5, window=window, now=now),
        ),
        "record_login": (
            writes,
            lambda n: floor.record_login(user_id(n), moment(n)),
            lambda n: users.record_login(user_id(n), moment(n)),
        ),
        "revoke": (
            writes,
            lambda n: floor.revoke(f"floor{tasks}-{n}", later),
            lambda n: backend.blacklist.revoke(f"ours{tasks}-{n}", later),
        ),
        "create": (writes, lambda _: floor.create(make.user()), lambda _: users.create(make.user())),
    }


def repeat(runner: asyncio.Runner, times: int, tasks: int, operation: Operation) -> Callable[[], float]:
    """Measure the CPU time of `times` operations, shared out among tasks that run at once."""
    numbers = itertools.count()

    async def task() -> None:
        for _ in range(max(1, times // tasks)):
            await operation(next(numbers))

    async def work() -> float:
        start = time.process_time()
        if tasks == 1:
            await task()
        else:
            await asyncio.gather(*(task() for _ in range(tasks)))
        return time.process_time() - start

    return lambda: runner.run(work())


def deadlines(read: Operation) -> dict[str, Operation]:
    """Give a read within each of what bounds it, which is most of what stands above MongoDB's driver."""

    async def of_the_driver(number: int) -> Any:
        with pymongo.timeout(SECONDS):
            return await read(number)

    async def of_asyncio(number: int) -> Any:
        async with asyncio.timeout(SECONDS):
            return await read(number)

    async def in_a_task(number: int) -> Any:
        return await asyncio.shield(asyncio.ensure_future(read(number)))

    return {
        "find_one within the driver's own deadline": of_the_driver,
        "find_one within asyncio.timeout": of_asyncio,
        "find_one in a task of its own, shielded": in_a_task,
    }


@pytest.mark.parametrize("tasks", TASKS)
def test_operations(pair: Pair, figures: Figures, tasks: int) -> None:
    group = f"{pair.kind}: operations over {DRIVERS[pair.kind]}, CPU of the client, {tasks} at once"
    for name, (times, floor, ours) in operations(pair, tasks).items():
        taken = in_turns(
            {
                "floor": repeat(pair.runner, times, tasks, floor),
                "ours": repeat(pair.runner, times, tasks, ours),
            }
        )
        value, low, high = ratio(taken["ours"], taken["floor"])
        figures.add(group, name, value, low=low, high=high, goal=f"≤ {GOALS[pair.kind]:g}", why=ABOVE)


@pytest.mark.parametrize("pair", ["mongo"], indirect=True)
@pytest.mark.parametrize("tasks", TASKS)
def test_deadlines(pair: Pair, figures: Figures, tasks: int) -> None:
    group = f"mongo: deadlines over {DRIVERS['mongo']}, CPU of the client, {tasks} at once"
    _, read, _ = operations(pair, tasks)["get_by_id"]
    named = {"find_one": read} | deadlines(read)
    taken = in_turns({name: repeat(pair.runner, READS, tasks, each) for name, each in named.items()})
    for name in deadlines(read):
        value, low, high = ratio(taken[name], taken["find_one"])
        figures.add(group, name, value, low=low, high=high)
