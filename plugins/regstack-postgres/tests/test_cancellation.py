"""Tasks that are cancelled at every await."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.models.ids import new_id
from regstack.models.pending import PendingRegistration
from regstack.models.user import User
from regstack.testing.cancellation import cancelled_at
from regstack_postgres.backend import PostgresBackend

pytestmark = pytest.mark.anyio

MOST_STEPS = 80


@pytest.fixture(params=["pool", "new connections", "engine"])
async def store(
    request: pytest.FixtureRequest, url: str, clock: FrozenClock, build: Callable[..., PostgresBackend]
) -> Any:
    """A backend that may have two connections, and what to do before each operation."""
    if request.param != "engine":
        # Without TLS: a cancelled request for it leaves a future behind in the driver, which complains.
        backend = build(database_url=f"{url}?sslmode=disable", db_pool_size=2)

        async def prepare() -> None:
            if request.param == "new connections":
                await backend.executor._source.expire()

        yield backend, prepare
        return
    engine = create_async_engine(
        url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=2, max_overflow=0
    )

    async def nothing() -> None: ...

    backend = PostgresBackend.from_engine(engine, config=RegStackConfig(), clock=clock)
    yield backend, nothing
    await backend.aclose()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await engine.dispose()


async def interrupt(at: int, operation: Coroutine[Any, Any, Any], times: int) -> bool:
    """Run an operation, cancelled at its k-th suspension; True where it got that far."""
    outcome = await cancelled_at(at, operation, times=times)
    assert outcome.error is None or isinstance(outcome.error, asyncio.CancelledError), outcome.error
    return outcome.reached


async def settle(backend: PostgresBackend) -> None:
    """Wait until nothing goes on: a task that is cancelled twice ends before its connection is clean."""
    await asyncio.gather(*backend.executor._source._cleaning)
    # One after the other, on all connections: what a server still runs is over then.
    await asyncio.gather(*(backend.users.count() for _ in range(3)))


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_a_cancelled_statement_happened_or_not(
    store: Any, make_user: Callable[..., User], times: int
) -> None:
    backend, prepare = store
    user = await backend.users.create(make_user())
    for at in range(1, MOST_STEPS):
        before = await backend.users.get_by_id(user.id)
        await prepare()
        reached = await interrupt(at, backend.users.set_password(user.id, f"hash{at}"), times)
        await settle(backend)
        now = await backend.users.get_by_id(user.id)
        after = (f"hash{at}", before.token_version + 1)
        assert now == before or (now.hashed_password, now.token_version) == after
        if not reached:
            return
    raise AssertionError("more suspensions than were expected")


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_a_cancelled_transaction_happened_as_a_whole_or_not_at_all(
    store: Any, make_user: Callable[..., User], clock: FrozenClock, times: int
) -> None:
    backend, prepare = store
    await backend.users.create(make_user(is_superuser=True))
    now = clock.now()
    for at in range(1, MOST_STEPS):
        pending = PendingRegistration(
            f"token{at}",
            new_id(clock),
            "a@b.example",
            f"{at}@b.example",
            None,
            None,
            now,
            now + timedelta(hours=1),
        )
        await backend.pending.put(pending)
        await prepare()
        reached = await interrupt(at, backend.users.create_from_pending(f"token{at}", now), times)
        await settle(backend)
        waits = await backend.pending.find_by_token_hash(f"token{at}")
        user = await backend.users.get_by_id(pending.user_id)
        assert (waits is None) == (user is not None)
        if not reached:
            return
    raise AssertionError("more suspensions than were expected")


async def test_cancelled_readers_and_writers_leave_the_connections_usable(
    store: Any, make_user: Callable[..., User]
) -> None:
    backend, _ = store
    users = [await backend.users.create(make_user()) for _ in range(6)]
    for steps in range(30):
        tasks = [
            asyncio.create_task(operation)
            for user in users
            for operation in (
                backend.users.get_by_id(user.id),
                backend.users.record_login(user.id, user.created_at),
                backend.users.set_flags(user.id, is_superuser=False),
            )
        ]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        wrong = [
            answer
            for answer in answers
            if isinstance(answer, BaseException) and not isinstance(answer, asyncio.CancelledError)
        ]
        assert wrong == []
    assert await backend.users.count() == 6


async def test_what_was_cancelled_is_settled_before_its_connection_is_used_again(
    url: str, build: Callable[..., PostgresBackend], make_user: Callable[..., User]
) -> None:
    backend = build(database_url=f"{url}?sslmode=disable", db_pool_size=1)
    user = await backend.users.create(make_user())
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("SELECT 1 FROM regstack_users FOR UPDATE")
        change = asyncio.create_task(backend.users.set_password(user.id, "new"))
        async with asyncio.timeout(60):
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                pass  # each question lets the loop go on
        change.cancel()
        await asyncio.gather(change, return_exceptions=True)
        kept = [connection for connection, _ in backend.executor._source._kept]
        assert not any(connection._protocol._is_cancelling() for connection in kept)
    await other.close()
    assert await backend.users.get_by_id(user.id) == user


async def test_closing_waits_until_a_host_s_engine_has_its_connections_back(
    url: str, clock: FrozenClock, make_user: Callable[..., User]
) -> None:
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=1)
    backend = PostgresBackend.from_engine(engine, config=RegStackConfig(), clock=clock)
    user = await backend.users.create(make_user())
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("SELECT 1 FROM regstack_users FOR UPDATE")
        change = asyncio.create_task(backend.users.set_password(user.id, "new"))
        async with asyncio.timeout(60):
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                pass  # each question lets the loop go on
        while not change.done():
            change.cancel()
            await asyncio.sleep(0)
        assert engine.pool.checkedout() == 1  # type: ignore[attr-defined]
        await backend.aclose()
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await other.close()
    await engine.dispose()
