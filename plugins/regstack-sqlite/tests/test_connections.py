"""Connections: how they are set up, shared and closed."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from regstack.auth.clock import FrozenClock
from regstack.backends.base import Capability
from regstack.config.schema import RegStackConfig
from regstack.errors import ConfigurationError
from regstack.models.user import User
from regstack_sqlite.backend import SqliteBackend

pytestmark = pytest.mark.anyio


async def pragmas(backend: SqliteBackend) -> list[dict[str, Any]]:
    connections = backend.executor._open  # type: ignore[attr-defined]
    await connections.writer()
    await connections.reader()
    found = []
    for connection in (connections._writer, *(reader.connection for reader in connections._readers)):
        values = {}
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
            ((values[name],),) = await connection.execute_fetchall(f"PRAGMA {name}")
        found.append(values)
    return found


@pytest.mark.parametrize(("setting", "value"), [("FULL", 2), ("NORMAL", 1)])
async def test_a_file_is_in_wal_mode_with_foreign_keys_and_the_configured_durability(
    open_backend: Callable[..., SqliteBackend], setting: str, value: int
) -> None:
    found = await pragmas(open_backend(sqlite_synchronous=setting))
    expected = {"journal_mode": "wal", "synchronous": value, "foreign_keys": 1, "busy_timeout": 50}
    assert found == [expected, expected]


async def test_the_constructor_opens_nothing(open_backend: Callable[..., SqliteBackend], path: Path) -> None:
    open_backend()
    assert not path.exists()  # noqa: ASYNC240


async def test_an_instance_in_memory_does_not_claim_other_processes(
    open_backend: Callable[..., SqliteBackend],
) -> None:
    assert Capability.MULTI_PROCESS in open_backend().capabilities
    for url in ("sqlite://", "sqlite+aiosqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"):
        assert Capability.MULTI_PROCESS not in open_backend(database_url=url).capabilities


async def test_tasks_share_one_database_in_memory(
    open_backend: Callable[..., SqliteBackend], make_user: Callable[..., User]
) -> None:
    backend, other = open_backend(database_url="sqlite://"), open_backend(database_url="sqlite://")
    await backend.install_schema()
    await other.install_schema()
    users = [make_user() for _ in range(20)]
    await asyncio.gather(*(backend.users.create(user) for user in users))
    assert await asyncio.gather(*(backend.users.get_by_id(user.id) for user in users)) == users
    assert await other.users.count() == 0


@pytest.mark.parametrize("url", ["sqlite:///{path}", "sqlite://"])
def test_a_backend_outlives_its_event_loop(
    url: str, path: Path, clock: FrozenClock, make_user: Callable[..., User]
) -> None:
    config = RegStackConfig(database_url=url.format(path=path))
    backend = SqliteBackend(config=config, clock=clock)

    async def leave_in_the_middle() -> None:
        await backend.install_schema()
        await backend.users.create(make_user())
        task = asyncio.create_task(backend.users.delete("nobody"))
        await asyncio.sleep(0)
        task.cancel()

    async def go_on() -> int:
        await backend.users.create(make_user())
        return await backend.users.count()

    asyncio.run(leave_in_the_middle())
    assert asyncio.run(go_on()) == 2
    asyncio.run(backend.aclose())
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(timeout=60)
            assert not thread.is_alive()


async def test_closing_twice_is_fine_and_closes_all(
    backend: SqliteBackend, make_user: Callable[..., User], path: Path
) -> None:
    user = await backend.users.create(make_user())
    await asyncio.gather(*(backend.users.get_by_id(user.id) for _ in range(20)))
    await backend.aclose()
    await backend.aclose()
    assert not path.with_name(path.name + "-wal").exists()


@pytest.mark.parametrize("database", ["file", "memory"])
async def test_an_engine_of_the_host_is_used_and_left_open(
    path: Path, clock: FrozenClock, make_user: Callable[..., User], database: str
) -> None:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}" if database == "file" else "sqlite+aiosqlite://"
    )
    backend = SqliteBackend.from_engine(engine, config=RegStackConfig(), clock=clock)
    await backend.install_schema()
    user = await backend.users.create(make_user())
    assert await backend.users.get_by_id(user.id) == user
    assert await backend.users.delete(user.id)
    await backend.users.create(user)
    await backend.aclose()
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM regstack_users"))).scalar() == 1
    await engine.dispose()


async def test_ping_reports_the_version(backend: SqliteBackend) -> None:
    report = await backend.ping()
    assert report.server_version == sqlite3.sqlite_version
    assert report.round_trip.total_seconds() > 0


async def test_an_old_sqlite_is_refused_at_once(
    open_backend: Callable[..., SqliteBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(ConfigurationError, match=r"3\.34\.1 is too old"):
        open_backend()


async def test_readers_grow_with_the_load_up_to_the_limit(
    backend: SqliteBackend, make_user: Callable[..., User]
) -> None:
    user = await backend.users.create(make_user())
    readers = backend.executor._open._readers  # type: ignore[attr-defined]
    await backend.users.get_by_id(user.id)
    assert len(readers) == 1
    for _ in range(5):
        await asyncio.gather(*(backend.users.get_by_id(user.id) for _ in range(50)))
    assert 1 <= len(readers) <= 4
    assert {reader.waiting for reader in readers} == {0}


async def test_a_new_database_is_readable_by_its_owner_alone(backend: SqliteBackend, path: Path) -> None:
    await backend.install_schema()
    files = list(path.parent.glob(f"{path.name}*"))
    assert path in files
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
