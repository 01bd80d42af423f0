"""Operations that take the same rows at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.user import User
from regstack_postgres.backend import PostgresBackend

pytestmark = pytest.mark.anyio

OpenBackend = Callable[..., PostgresBackend]
MakeUser = Callable[..., User]
Ask = Callable[..., Awaitable[Any]]

HOUR = timedelta(hours=1)
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def test_deleting_and_confirming_take_their_rows_in_one_order(
    open_backend: OpenBackend, make_user: MakeUser, url: str, administer: Ask
) -> None:
    one, two = open_backend(), open_backend()
    now = one.clock.now()
    for number in range(25):
        user = await one.users.create(make_user())
        await one.pending.put(
            PendingRegistration(
                f"t{number}",
                user.id,
                user.email,
                user.email_key,
                None,
                None,
                now,
                now + HOUR,
                for_account=True,
            )
        )
        deleted, confirmed = await asyncio.gather(
            one.users.delete(user.id), two.users.create_from_pending(f"t{number}", now)
        )
        assert deleted is True
        assert confirmed is None or confirmed.id == user.id
        assert await one.users.get_by_id(user.id) is None
        assert await one.pending.find_by_email(user.email_key) is None
    await administer("SELECT pg_stat_force_next_flush()")
    assert await administer(DEADLOCKS) == 0


async def test_of_two_that_wait_for_each_other_both_come_through(
    open_backend: OpenBackend, make_user: MakeUser, url: str
) -> None:
    # It looks for a circle once, after this time; on a busy machine, too, the circle must be closed by then.
    backend = open_backend(database_url=f"{url}?options=-c%20deadlock_timeout%3D3s")
    user = await backend.users.create(make_user())
    now = backend.clock.now()
    await backend.oauth_states.create(OAuthState("state", "google", "b", None, user.id, now, now + HOUR))
    other = await asyncpg.connect(url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SET LOCAL deadlock_timeout = '60s'")  # so that the backend is the one to give way
    await other.execute("SELECT * FROM regstack_oauth_states FOR UPDATE")
    deleting = asyncio.create_task(backend.users.delete(user.id))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE%'"
    watcher = await asyncpg.connect(url)
    async with asyncio.timeout(60):
        while await watcher.fetchval(waiting) == 0:  # noqa: ASYNC110 - the server knows no Event
            await asyncio.sleep(0)
    await other.execute("SELECT * FROM regstack_users FOR UPDATE")
    await transaction.commit()
    assert await deleting is True
    await other.close()
    await watcher.close()


async def test_a_body_that_met_a_lock_runs_again_from_its_beginning(
    open_backend: OpenBackend, make_user: MakeUser
) -> None:
    backend = open_backend()
    user = await backend.users.create(make_user())
    bodies = 0

    async def body(transaction: Any) -> bool:
        nonlocal bodies
        bodies += 1
        await transaction.execute(backend.users._delete, user=user.id, version=None)  # type: ignore[attr-defined]
        if bodies < 3:
            await transaction._connection.execute("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$")
        return True

    assert await backend.executor.transact(body)
    assert bodies == 3
    assert await backend.users.get_by_id(user.id) is None


async def test_the_last_superuser_stays_however_the_schema_is_written(
    url: str, open_backend: Callable[..., PostgresBackend], make_user: Callable[..., User]
) -> None:
    one, other = open_backend(), open_backend(db_schema="public")
    await one.install_schema()
    first, second = [await one.users.create(make_user(is_superuser=True)) for _ in range(2)]
    for _ in range(20):
        await asyncio.gather(
            one.users.set_flags(first.id, is_superuser=False),
            other.users.set_flags(second.id, is_superuser=False),
            return_exceptions=True,
        )
        assert await one.users.count(is_superuser=True, is_active=True) >= 1
        for user in (first, second):
            await one.users.set_flags(user.id, is_superuser=True)
