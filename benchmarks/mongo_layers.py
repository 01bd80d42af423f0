"""What each layer of a MongoDB read costs, relative to the driver alone.

    python -m benchmarks.mongo_layers

CPU time of this process, in turns; the server's own is not in it. A figure is the median of the
rounds' ratios, for one task and for each of 50 tasks that share five connections.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from typing import TYPE_CHECKING, Any

import pymongo

from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack.models.ids import new_id
from regstack.models.user import User
from regstack_mongo.backend import MongoBackend
from regstack_mongo.user_documents import PROJECTION
from tests.servers.mongo import MongoReplicaSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 11
OPERATIONS = 150
TASKS = 50
USERS = 100
DEADLINE_SECONDS = 10.0


async def accounts(backend: MongoBackend) -> list[User]:
    """Make accounts."""
    clock = SystemClock()
    made = []
    for number in range(USERS):
        email = f"user{number}@example.com"
        user = User.new(
            id=new_id(clock), email=email, email_key=email, hashed_password="x" * 97, now=clock.now()
        )
        made.append(await backend.users.create(user))
    return made


async def layers(backend: MongoBackend) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Give what is measured, each with one layer more than the driver, and then whole operations."""
    users = await accounts(backend)
    ids = itertools.cycle([user.id for user in users])
    keys = itertools.cycle([user.email_key for user in users])
    connection = backend.executor._connection  # noqa: SLF001 - the driver below is what is measured
    if connection is None:
        raise RuntimeError("nothing was opened")

    async def driver() -> Any:
        return await connection.users.find_one({"_id": next(ids)}, PROJECTION)

    async def with_deadline() -> Any:
        with pymongo.timeout(DEADLINE_SECONDS):
            return await driver()

    async def with_timeout() -> Any:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await driver()

    async def in_a_task() -> Any:
        return await asyncio.shield(asyncio.get_running_loop().create_task(driver()))

    async def aggregation() -> Any:
        stages: list[dict[str, Any]] = [{"$match": {"_id": next(ids)}}, {"$project": PROJECTION}]
        other = {"coll": connection.blacklist.name, "pipeline": [{"$match": {"_id": "x"}}]}
        cursor = await connection.users.aggregate([*stages, {"$unionWith": other}])
        return await cursor.to_list()

    return {
        "driver: find_one": driver,
        "  within the driver's own deadline": with_deadline,
        "  within asyncio.timeout": with_timeout,
        "  in a task of its own, shielded": in_a_task,
        "driver: aggregate with $unionWith": aggregation,
        "get_by_id": lambda: backend.users.get_by_id(next(ids)),
        "find_login_subject": lambda: backend.users.find_login_subject(next(keys)),
        "get_token_subject": lambda: backend.users.get_token_subject(next(ids), jti="x"),
    }


async def cpu(operation: Callable[[], Awaitable[Any]], tasks: int) -> float:
    """CPU seconds of one operation, where so many tasks make them."""

    async def work() -> None:
        for _ in range(max(1, OPERATIONS // tasks)):
            await operation()

    start = time.process_time()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return (time.process_time() - start) / (max(1, OPERATIONS // tasks) * tasks)


async def measure(url: str) -> None:
    """Print the table."""
    backend = MongoBackend(config=RegStackConfig(database_url=url), clock=SystemClock())
    try:
        await backend.install_schema()
        measured = await layers(backend)
        floor, *_ = measured
        print(f"{'over ' + floor:<40}{'1 task':>8}{f'{TASKS} tasks':>10}")
        seconds: dict[tuple[str, int], list[float]] = {}
        for _, (name, operation), tasks in itertools.product(range(ROUNDS + 1), measured.items(), (1, TASKS)):
            seconds.setdefault((name, tasks), []).append(await cpu(operation, tasks))
        for name in measured:
            ratios = [
                statistics.median(
                    each / base
                    for each, base in zip(seconds[name, tasks][1:], seconds[floor, tasks][1:], strict=True)
                )
                for tasks in (1, TASKS)
            ]
            print(f"{name:<40}{ratios[0]:>8.2f}{ratios[1]:>10.2f}")
    finally:
        await backend.aclose()


if __name__ == "__main__":
    with MongoReplicaSet() as servers:
        asyncio.run(measure(servers.url))
