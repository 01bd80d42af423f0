"""Connections: how they are opened, shared, given back and closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.errors import ConfigurationError
from regstack.models.user import User
from regstack_postgres import source
from regstack_postgres.backend import PostgresBackend
from regstack_postgres.source import PoolSource

pytestmark = pytest.mark.anyio

OpenBackend = Callable[..., PostgresBackend]
MakeUser = Callable[..., User]
Ask = Callable[..., Awaitable[Any]]

OTHERS = (
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
SESSIONS = f"SELECT count(*){OTHERS}"


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - the server knows no Event
            await asyncio.sleep(0)


async def test_the_constructor_opens_nothing(backend: PostgresBackend, administer: Ask) -> None:
    assert backend.executor.use is None
    assert await administer(SESSIONS) == 0


async def test_the_pool_grows_with_the_load_up_to_its_size(
    open_backend: OpenBackend, administer: Ask, make_user: MakeUser
) -> None:
    backend = open_backend(db_pool_size=3)
    user = await backend.users.create(make_user())
    assert await administer(SESSIONS) == 1
    answers = await asyncio.gather(*(backend.users.get_by_id(user.id) for _ in range(50)))
    assert answers == [user] * 50
    assert await administer(SESSIONS) == 3
    use = backend.executor.use
    assert use is not None
    assert (use.most, use.open, use.idle) == (3, 3, 3)


async def test_a_connection_is_used_again_unless_it_lay_idle_for_too_long(
    open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_backend(db_pool_size=1)

    async def session() -> int:
        (pid,) = await backend.executor.ask("SELECT pg_backend_pid()")
        return int(pid)

    first = await session()
    assert await session() == first
    monkeypatch.setattr(source, "KEPT_SECONDS", -1.0)
    assert await session() != first
    use = backend.executor.use
    assert use is not None
    assert (use.most, use.open, use.idle) == (1, 1, 1)


async def test_the_server_ends_what_takes_too_long_by_itself(open_backend: OpenBackend) -> None:
    backend = open_backend(db_timeout_seconds=2.5)
    shown = await backend.executor.ask(
        "SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
    )
    assert tuple(shown) == ("2500ms", "2500ms")


async def test_options_of_the_url_reach_the_server(open_backend: OpenBackend, url: str) -> None:
    backend = open_backend(database_url=f"{url}?application_name=shop&statement_timeout=1234")
    shown = await backend.executor.ask(
        "SELECT current_setting('application_name'), current_setting('statement_timeout')"
    )
    assert tuple(shown) == ("shop", "1234ms")


async def test_statements_and_transactions_leave_nothing_in_a_session(
    open_backend: OpenBackend, administer: Ask, make_user: MakeUser
) -> None:
    backend = open_backend(db_pool_size=1)
    user = await backend.users.create(make_user(is_superuser=True))
    await backend.users.create(make_user(is_superuser=True))
    await backend.users.set_flags(user.id, is_active=False)
    await backend.users.delete(user.id)
    await backend.drop_schema()
    await backend.install_schema()
    assert await administer(f"SELECT state{OTHERS}") == "idle"
    assert await administer("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    shown = await backend.executor.ask("SELECT current_setting('statement_timeout')")
    assert tuple(shown) == ("10s",)


@pytest.mark.parametrize("leaving", ["idle", "in the middle"])
def test_a_backend_outlives_its_event_loop(
    url: str, clock: FrozenClock, make_user: MakeUser, leaving: str
) -> None:
    backend = PostgresBackend(config=RegStackConfig(database_url=url), clock=clock)

    async def leave() -> None:
        await asyncio.gather(*(backend.users.create(make_user()) for _ in range(4)))
        if leaving == "in the middle":
            task = asyncio.create_task(backend.users.count())
            for _ in range(3):
                await asyncio.sleep(0)
            task.cancel()

    async def go_on() -> int:
        await backend.users.create(make_user())
        return await backend.users.count()

    asyncio.run(leave())
    assert asyncio.run(go_on()) == 5
    asyncio.run(backend.aclose())
    asyncio.run(backend.aclose())


async def test_the_pool_of_a_loop_that_goes_on_elsewhere_is_ended(
    backend: PostgresBackend, administer: Ask, make_user: MakeUser
) -> None:
    user = await backend.users.create(make_user())
    found: list[User | None] = []

    async def elsewhere() -> None:
        found.append(await backend.users.get_by_id(user.id))
        await backend.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    await asyncio.to_thread(thread.join)
    assert found == [user]

    async def nobody_is_left() -> bool:
        return bool(await administer(SESSIONS) == 0)

    await until(nobody_is_left)
    assert await backend.users.get_by_id(user.id) == user


async def test_closing_twice_is_fine_and_ends_all_sessions(
    backend: PostgresBackend, administer: Ask, make_user: MakeUser
) -> None:
    user = await backend.users.create(make_user())
    await asyncio.gather(*(backend.users.get_by_id(user.id) for _ in range(20)))
    await backend.aclose()
    await backend.aclose()

    async def nobody_is_left() -> bool:
        return bool(await administer(SESSIONS) == 0)

    await until(nobody_is_left)


@pytest.mark.parametrize("act", ["close", "expire"])
async def test_connections_that_break_off_while_they_go_back_are_gone(
    backend: PostgresBackend, act: str
) -> None:
    async def used() -> int:
        return len(await asyncio.gather(*(backend.users.count() for _ in range(20))))

    assert await used() == 20
    pool = backend.executor._source
    assert isinstance(pool, PoolSource)
    assert pool._kept
    for connection, _ in pool._kept:
        connection._transport.abort()  # the driver hears of it in the next turn of the loop
    await (backend.aclose() if act == "close" else pool.expire())
    assert await used() == 20


async def test_an_engine_of_the_host_is_used_and_left_open(
    url: str, empty_url: str, clock: FrozenClock, make_user: MakeUser, administer: Ask
) -> None:
    engine = create_async_engine(
        url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=2, max_overflow=0
    )
    backend = PostgresBackend.from_engine(engine, config=RegStackConfig(), clock=clock)
    await backend.drop_schema()
    await backend.install_schema()
    user = await backend.users.create(make_user(is_superuser=True))
    answers = await asyncio.gather(*(backend.users.get_by_id(user.id) for _ in range(20)))
    assert answers == [user] * 20
    other = await backend.users.create(make_user(is_superuser=True))
    assert await backend.users.delete(other.id)
    assert (
        await administer("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'") == 0
    )
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await backend.aclose()
    async with engine.begin() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM regstack_users"))).scalar() == 1
    await engine.dispose()


async def test_an_engine_with_another_driver_is_refused(clock: FrozenClock) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(ConfigurationError, match="asyncpg"):
        PostgresBackend.from_engine(engine, config=RegStackConfig(), clock=clock)
    await engine.dispose()


async def test_ping_reports_the_version(backend: PostgresBackend, administer: Ask) -> None:
    report = await backend.ping()
    assert report.server_version == await administer("SHOW server_version")
    assert report.round_trip.total_seconds() > 0
