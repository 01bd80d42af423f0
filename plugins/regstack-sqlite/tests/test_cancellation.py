"""Tasks that are cancelled at every await."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from regstack.models.user import User
from regstack.testing.cancellation import cancelled_at
from regstack_sqlite.backend import SqliteBackend

pytestmark = pytest.mark.anyio

MOST_STEPS = 60


@pytest.fixture(params=["file", "memory"])
async def store(request: pytest.FixtureRequest, open_backend: Callable[..., SqliteBackend]) -> SqliteBackend:
    settings = {} if request.param == "file" else {"database_url": "sqlite://"}
    backend = open_backend(**settings)
    await backend.install_schema()
    return backend


async def test_a_cancelled_statement_happened_or_not(
    store: SqliteBackend, make_user: Callable[..., User]
) -> None:
    user = await store.users.create(make_user())
    for at in range(1, MOST_STEPS):
        before = await store.users.get_by_id(user.id)
        assert before is not None
        outcome = await cancelled_at(at, store.users.set_password(user.id, f"hash{at}"))
        now = await store.users.get_by_id(user.id)
        assert now is not None
        assert now == before or (now.hashed_password, now.token_version) == (
            f"hash{at}",
            before.token_version + 1,
        )
        if not outcome.reached:
            return
    raise AssertionError("more suspensions than were expected")


async def test_a_cancelled_transaction_happened_as_a_whole_or_not_at_all(
    store: SqliteBackend, make_user: Callable[..., User]
) -> None:
    await store.users.create(make_user(is_superuser=True))
    for at in range(1, MOST_STEPS):
        other = await store.users.create(make_user(is_superuser=True))
        outcome = await cancelled_at(at, store.users.set_flags(other.id, is_active=False))
        now = await store.users.get_by_id(other.id)
        assert now is not None
        assert (now.is_active, now.token_version) in {(True, 0), (False, 1)}
        await cancelled_at(at, store.users.delete(other.id))
        assert await store.users.delete(other.id) in {True, False}
        assert await store.users.get_by_id(other.id) is None
        if not outcome.reached:
            return
    raise AssertionError("more suspensions than were expected")


async def test_cancelled_readers_and_writers_leave_the_connections_usable(
    store: SqliteBackend, make_user: Callable[..., User]
) -> None:
    users = [await store.users.create(make_user()) for _ in range(10)]
    for steps in range(30):
        tasks = [
            asyncio.create_task(operation)
            for user in users
            for operation in (
                store.users.get_by_id(user.id),
                store.users.record_login(user.id, user.created_at),
                store.users.set_flags(user.id, is_superuser=False),
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
    assert await store.users.count() == 10
