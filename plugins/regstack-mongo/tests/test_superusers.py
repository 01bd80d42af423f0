"""The last active superuser stays, whoever crashes or comes between (USR-04)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from regstack.errors import BackendTimeout, BackendUnavailable, LastSuperuserError
from regstack.testing.builders import Builder
from regstack.testing.fixtures import answered
from regstack_mongo.backend import MongoBackend
from regstack_mongo.superusers import take_away

from .conftest import failing

pytestmark = pytest.mark.anyio

REMOVALS: dict[str, Callable[[MongoBackend, str], Any]] = {
    "demote": lambda backend, key: backend.users.set_flags(key, is_superuser=False),
    "disable": lambda backend, key: backend.users.set_flags(key, is_active=False),
    "delete": lambda backend, key: backend.users.delete(key),
}
STEPS = [("update", 0), ("find", 0), ("find", 1), ("findAndModify", 0), ("findAndModify", 1)]
"""Where the connection breaks: before the first, the second … command of that name."""


async def left(backend: MongoBackend) -> int:
    return await backend.users.count(is_superuser=True, is_active=True)


@pytest.mark.parametrize("removal", REMOVALS.values(), ids=REMOVALS.keys())
@pytest.mark.parametrize(("command", "skip"), STEPS)
async def test_a_crash_at_any_step_leaves_both_or_one_and_nothing_to_repair(
    command: str,
    skip: int,
    removal: Callable[[MongoBackend, str], Any],
    open_backend: Any,
    standalone_url: str,
    make: Builder,
) -> None:
    backend = open_backend(standalone_url)
    hurried = open_backend(standalone_url, db_timeout_seconds=1.0)
    await backend.install_schema()
    await answered(hurried.users.count)
    one, other = [await backend.users.create(make.user(is_superuser=True)) for _ in range(2)]
    # A read is repeated by the driver, so it must fail until the deadline.
    after = "alwaysOn" if command == "find" else {"skip": skip}
    with (
        failing(standalone_url, [command], mode=after, closeConnection=True),
        pytest.raises((BackendUnavailable, BackendTimeout)),
    ):
        await removal(hurried if command == "find" else backend, one.id)
    assert await left(backend) == 2
    assert await backend.pending_changes() == ()
    await removal(backend, one.id)
    assert await left(backend) == 1
    with pytest.raises(LastSuperuserError):
        await removal(backend, other.id)
    assert await left(backend) == 1


async def test_a_crash_after_the_account_is_gone_leaves_rows_that_mean_nothing(
    open_backend: Any, standalone_url: str, make: Builder
) -> None:
    backend = open_backend(standalone_url)
    await backend.install_schema()
    user = await backend.users.create(make.user())
    state = make.state(linking_user_id=user.id)
    await backend.oauth_states.create(state)
    row = make.pending(user_id=user.id, email_key=user.email_key, for_account=True)
    await backend.pending.put(row)
    with (
        failing(standalone_url, ["delete"], mode={"skip": 1}, closeConnection=True),
        pytest.raises(BackendUnavailable) as raised,
    ):
        await backend.users.delete(user.id)
    assert raised.value.outcome_unknown
    assert await backend.users.get_by_id(user.id) is None
    assert await backend.oauth_states.find(state.state_hash) is None
    assert await backend.users.create_from_pending(row.token_hash, make.clock.now()) is None
    heir = await backend.users.create(make.user(email_key=user.email_key))
    assert await backend.users.get_by_email(user.email_key) == heir


async def test_who_called_the_roll_later_overtakes_who_called_it_before(
    backend: MongoBackend, open_backend: Any, url: str, make: Builder
) -> None:
    rival = open_backend(url)
    one, other = [await backend.users.create(make.user(is_superuser=True)) for _ in range(2)]
    calls = 0

    async def take(connection: Any, query: dict[str, Any]) -> Any:
        nonlocal calls
        if "roll" in query:  # between looking at the other one and taking this one away
            calls += 1
            if calls == 1:
                assert await rival.users.set_flags(other.id, is_superuser=False) is not None
        return await connection.users.find_one_and_delete(query)

    async def remove(connection: Any) -> Any:
        return await take_away(connection, {"_id": one.id}, lambda query: take(connection, query), timeout=5)

    with pytest.raises(LastSuperuserError):
        await backend.executor.write(remove)
    assert calls == 1
    assert await left(backend) == 1


async def test_a_superuser_who_bears_no_mark_is_not_relied_on(
    backend: MongoBackend, raw: Any, make: Builder
) -> None:
    """One who was appointed, or marked by somebody else, after the call: it calls again."""
    one, other = [await backend.users.create(make.user(is_superuser=True)) for _ in range(2)]
    queries: list[dict[str, Any]] = []

    async def remove(connection: Any) -> Any:
        async def take(query: dict[str, Any]) -> Any:
            queries.append(query)
            if len(queries) == 2:
                raw["regstack_users"].update_many({}, {"$set": {"roll": "of somebody else"}})
            return await connection.users.find_one_and_delete(query)

        return await take_away(connection, {"_id": one.id}, take, timeout=5)

    assert await backend.executor.write(remove) is not None
    rolls = [query["roll"] for query in queries if "roll" in query]
    assert len(rolls) == len(set(rolls)) == 2
    assert await left(backend) == 1
    assert await backend.users.get_by_id(other.id) is not None


async def test_many_instances_that_take_each_other_away_leave_exactly_one(
    backend: MongoBackend, open_backend: Any, url: str, make: Builder
) -> None:
    """Each instance has a lock of its own, so here the roll call alone decides."""
    instances = [open_backend(url) for _ in range(6)]
    await asyncio.gather(*(instance.users.count() for instance in instances))
    for _ in range(3):
        users = [await backend.users.create(make.user(is_superuser=True)) for _ in instances]
        for old in await backend.users.list_page(limit=50, is_superuser=True, is_active=True):
            if old.id not in {user.id for user in users}:
                await backend.users.delete(old.id)
        outcomes = await asyncio.gather(
            *(instance.users.delete(user.id) for instance, user in zip(instances, users, strict=True)),
            return_exceptions=True,
        )
        assert outcomes.count(True) == len(users) - 1
        assert [type(each) for each in outcomes if each is not True] == [LastSuperuserError]
        assert await left(backend) == 1
