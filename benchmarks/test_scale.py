"""What operations cost among a million accounts, over what they cost among a thousand."""

from __future__ import annotations

import asyncio
import os
import random
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from pymongo import MongoClient

from benchmarks.databases import BACKENDS, Database, databases
from benchmarks.rounds import ROUNDS, in_turns, ratio
from benchmarks.server_cpu import ServerCpu

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.figures import Figures

    Operation = Callable[[], Awaitable[Any]]

ACCOUNTS = int(os.environ.get("REGSTACK_BENCH_ACCOUNTS", "100000"))
SIZES = [10**digits for digits in range(3, 10) if 10**digits <= ACCOUNTS]
MILLION = 10**6
READS, WRITES, TOTALS = 100, 20, 2
PAGE = 50
GOAL = "≤ 1.2"
PLANNED_ANEW = "the server plans it anew each time, but not among a thousand: a step, and no growth"
WHY = {
    ("postgres", "a page by `after`"): PLANNED_ANEW,
    ("postgres", "a search by the name before the @"): PLANNED_ANEW,
    (
        "sqlite",
        "a page by `after`",
    ): "a thousand accounts lie in SQLite's own cache of 2 MB: a step, and no growth",
}
"""Where a missed goal comes from."""


def operations(database: Database) -> dict[str, tuple[str, int, Operation]]:
    """Give operations with goal and how often one is done at once; each takes another account each time."""
    backend, sample = database.backend, database.population.sample
    users, attempts, now = backend.users, backend.attempts, backend.clock.now()
    window, choose = timedelta(minutes=15), random.Random(7)  # noqa: S311 - whom to look at

    async def log_in() -> None:
        user, moment = choose.choice(sample), now + timedelta(milliseconds=choose.randrange(10**6))
        await attempts.claim(user.email_key, limit=5, window=window, now=now)
        await users.find_login_subject(user.email_key)
        await asyncio.gather(users.record_login(user.id, moment), attempts.clear(user.email_key))

    def search() -> Awaitable[Any]:
        prefix, _, _ = choose.choice(sample).email_key.partition("@")
        return users.list_page(limit=PAGE, search=prefix, after="0")

    return {
        "a login": (GOAL, WRITES, log_in),
        "get_token_subject": (
            GOAL,
            READS,
            lambda: users.get_token_subject(choose.choice(sample).id, jti="unknown"),
        ),
        "a page by `after`": (
            GOAL,
            READS,
            lambda: users.list_page(limit=PAGE, after=choose.choice(sample[: len(sample) // 2]).id),
        ),
        "a search by the name before the @": (GOAL, READS, search),
        "a search by two letters": ("", TOTALS, lambda: users.list_page(limit=PAGE, search="ad", after="0")),
        "a total": ("", TOTALS, users.count),
    }


def repeat(
    runner: asyncio.Runner, server: ServerCpu, times: int, operation: Operation
) -> Callable[[], float]:
    """Measure the CPU time of some operations, one after the other, here and at the server."""

    async def work() -> float:
        start = time.process_time() + server.seconds()
        for _ in range(times):
            await operation()
        return time.process_time() + server.seconds() - start

    return lambda: runner.run(work())


@pytest.mark.parametrize("kind", BACKENDS)
def test_cost_by_size(kind: str, request: pytest.FixtureRequest, tmp_path: Path, figures: Figures) -> None:
    with asyncio.Runner() as runner, databases(kind, request, tmp_path, runner, *SIZES) as made:
        server = ServerCpu.of(runner, made[0].url)
        by_size = [operations(database) for database in made]
        for name, (goal, times, _) in by_size[0].items():
            rounds = in_turns(
                {
                    str(size): repeat(runner, server, times, each[name][2])
                    for size, each in zip(SIZES, by_size, strict=True)
                },
                rounds=2 * ROUNDS + 1 if goal else 3,
            )
            for size in SIZES[1:]:
                value, low, high = ratio(rounds[str(size)], rounds[str(SIZES[0])])
                group = (
                    f"{kind}: CPU of client and server among {size:,} accounts over that among {SIZES[0]:,}"
                )
                note, why = "" if goal else "grows with what matches", WHY.get((kind, name), "")
                figures.add(group, name, value, low=low, high=high, goal=goal, note=note, why=why)
        group = f"{kind}: seconds to make the accounts in bulk"
        for size, database in zip(SIZES, made, strict=True):
            seconds = database.seconds
            figures.add(group, f"{size:,} accounts", seconds, low=seconds, high=seconds, unit="s")
        if SIZES[-1] < MILLION:
            return
        for relation, size_in_bytes in sizes(kind, runner, made[-1]).items():
            each = size_in_bytes / SIZES[-1]
            group = f"{kind}: bytes for each of {SIZES[-1]:,} accounts"
            figures.add(group, relation, each, low=each, high=each, unit="")


def sizes(kind: str, runner: asyncio.Runner, database: Database) -> dict[str, int]:
    """Give the bytes of tables and of indexes."""
    if kind == "sqlite":
        return {"the file": Path(database.url.removeprefix("sqlite:///")).stat().st_size}
    if kind == "postgres":
        return runner.run(_sizes_in_postgres(database.url))
    with MongoClient[dict[str, Any]](database.url) as client:
        found = client.get_default_database()
        found.client.admin.command("fsync")
        sizes: dict[str, int] = {}
        for name in sorted(found.list_collection_names()):
            stats = found.command("collStats", name)
            sizes |= {name: stats["storageSize"], f"{name}, not compressed": stats["size"]}
            sizes |= {f"{name}, {index}": size for index, size in stats["indexSizes"].items()}
        return sizes


async def _sizes_in_postgres(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT relname, pg_relation_size(oid) FROM pg_class "
        "WHERE relkind IN ('r', 'i') AND relname LIKE 'regstack%' ORDER BY relname"
    )
    await connection.close()
    return {name: size for name, size in rows if size}
