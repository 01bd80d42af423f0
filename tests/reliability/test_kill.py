"""Killed while it writes: nothing that was acknowledged is lost, and it is used again."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock, SystemClock
from regstack.backends.base import Backend
from regstack.config.schema import RegStackConfig
from regstack.plugins.registry import PluginRegistry
from regstack.testing.builders import HOUR, Builder
from tests.reliability.conftest import ROUNDS
from tests.reliability.ledger import Ledger, until_it_answers
from tests.servers.mongo import MongoReplicaSet, MongoServer
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.anyio

NUMBERS = {"short": 3, "long": 100}
ROOT = Path(__file__).parents[2]


SERVERS: dict[str, tuple[Callable[[], AbstractContextManager[Any]], str]] = {
    "postgres": (lambda: PostgresServer(durable=True), "the PostgreSQL server"),
    "mongo": (MongoReplicaSet, "mongod, a replica set of one"),
    "mongo standalone": (MongoServer, "mongod, standalone"),
}


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("kind", SERVERS)
async def test_a_server_that_is_killed_in_mid_write_loses_nothing_that_was_acknowledged(
    kind: str,
    rounds: str,
    make: Builder,
    connect: Callable[[str], Backend],
    connect_patiently: Callable[[str], Backend],
    tell: Callable[..., None],
) -> None:
    start, name = SERVERS[kind]
    acknowledged = failed = 0
    lost: list[str] = []
    with start() as server:
        backend, witness = connect(server.url), connect_patiently(server.url)
        await witness.install_schema()
        for number in range(NUMBERS[rounds]):
            ledger = Ledger()
            ledger.start(backend, make, number)
            await ledger.reach(random.Random(number).randrange(10, 40))
            await asyncio.to_thread(server.kill)
            ended = asyncio.create_task(ledger.end())
            await asyncio.to_thread(server.start)
            await ended
            await until_it_answers(backend)
            assert ledger.escaped == []
            assert (await witness.install_schema()).changes == ()
            lost += await ledger.lost(witness)
            acknowledged += len(ledger.acknowledged)
            failed += ledger.failed
        await backend.aclose()
        await witness.aclose()
    tell(name, NUMBERS[rounds], acknowledged, len(lost), failed)
    assert lost == []


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_a_process_that_is_killed_in_mid_write_loses_nothing_that_was_acknowledged(
    rounds: str, tmp_path: Path, tell: Callable[..., None]
) -> None:
    url = f"sqlite:///{tmp_path}/accounts.db"
    clock = SystemClock()
    backend = PluginRegistry.discover().create_backend(RegStackConfig(database_url=url), clock)
    await backend.install_schema()
    total, lost = 0, []
    for number in range(NUMBERS[rounds]):
        lines = await asyncio.to_thread(killed_writer, url, number)
        assert len(lines) >= 5
        total += len(lines)
        for line in lines:
            kind, key = line.split()
            if not await is_stored(backend, kind, key, clock):
                lost.append(line)
    await backend.aclose()
    with sqlite3.connect(tmp_path / "accounts.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    tell("the process that writes to SQLite", NUMBERS[rounds], total, len(lost), "–")
    assert lost == []


def killed_writer(url: str, seed: int) -> list[str]:
    """Start a writer and kill it; give the lines that it had printed."""
    command = [sys.executable, "-m", "tests.reliability.sqlite_writer", url, str(seed)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    time.sleep(random.Random(seed).uniform(0, 0.05))  # any moment of a write
    process.kill()
    lines += process.communicate(timeout=30)[0].splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]


async def is_stored(backend: Backend, kind: str, key: str, clock: FrozenClock | SystemClock) -> bool:
    """Say whether what a line of the writer tells is true."""
    if kind == "revoked":
        return await backend.blacklist.is_revoked(key)
    if kind == "claimed":
        return await backend.attempts.count_recent(key, 24 * HOUR, clock.now()) == 1
    user = await backend.users.get_by_id(key)
    if kind == "deleted":
        return user is None
    return user is not None and (kind != "password" or user.hashed_password == "new")
