"""Lifecycle of the backend: event loops, namespaces, and what an operator is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from redis import Redis

from regstack.auth.clock import FrozenClock, SystemClock
from regstack.config.schema import RegStackConfig
from regstack.models.finding import Health
from regstack.testing.builders import Builder
from regstack_redis_sample.backend import RedisBackend
from tests.servers.redis import RedisServer

Open = Callable[..., RedisBackend]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(durable=True) as server:
        yield server


def test_each_event_loop_has_connections_of_its_own(server: RedisServer) -> None:
    clock = FrozenClock()
    backend = RedisBackend(config=RegStackConfig(database_url=server.url), clock=clock)
    user = Builder(clock).user()

    async def create() -> None:
        await backend.users.create(user)
        await backend.aclose()

    async def find() -> bool:
        try:
            return await backend.users.get_by_id(user.id) == user
        finally:
            await backend.aclose()

    asyncio.run(create())
    assert asyncio.run(find())


def test_the_connections_of_an_event_loop_that_is_closed_are_forgotten(server: RedisServer) -> None:
    backend = RedisBackend(config=RegStackConfig(database_url=server.url), clock=FrozenClock())

    async def ask() -> None:
        backend._server._here()

    for _ in range(3):
        asyncio.run(ask())
    assert len(backend._server._connections) == 1


def test_making_a_backend_does_no_io(clock: FrozenClock) -> None:
    backend = RedisBackend(config=RegStackConfig(database_url="redis://nowhere.invalid"), clock=clock)
    assert backend.kind == "redis"


async def test_dropping_a_namespace_leaves_those_whose_names_are_alike(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    prefixes = ("", "a_", "a_b_", "a_users", "u")
    backends = {prefix: opened(server.url, table_prefix=prefix) for prefix in prefixes}
    user = make.user()
    for dropped in prefixes:
        for backend in backends.values():
            await backend.install_schema()
            await backend.users.create(user)
        await backends[dropped].drop_schema()
        await backends[dropped].drop_schema()
        for prefix, backend in backends.items():
            there = prefix != dropped
            assert (await backend.users.get_by_id(user.id) is not None) is there
            assert (await backend.pending_changes() == ()) is there


async def test_a_schema_that_is_newer_is_left_alone(server: RedisServer, opened: Open) -> None:
    with Redis(port=server.port) as database:
        database.set("newer_:schema", "7")
    report = await opened(server.url, table_prefix="newer_").install_schema()
    assert (report.revision, report.changes) == ("7", ())


async def test_an_operator_is_told_what_is_wrong_and_what_to_do(
    server: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    backend = opened(server.url)

    async def look() -> dict[str, Health]:
        findings = await backend.diagnose()
        assert all(bool(each.next_step) is (each.status is not Health.OK) for each in findings)
        return {each.name: each.status for each in findings}

    clock.advance(SystemClock().now() - clock.now())
    good = dict.fromkeys(("role", "durability", "eviction", "clock"), Health.OK)
    assert await look() == good
    with Redis(port=server.port) as database:
        try:
            database.config_set("appendfsync", "everysec")
            assert await look() == good | {"durability": Health.WARNING}
            database.config_set("appendonly", "no")
            assert await look() == good | {"durability": Health.FAILED}
            database.config_set("maxmemory-policy", "allkeys-lru")
            assert (await look())["eviction"] is Health.FAILED
        finally:
            database.config_set("appendonly", "yes")
            database.config_set("appendfsync", "always")
            database.config_set("maxmemory-policy", "noeviction")
    clock.advance(timedelta(minutes=5))
    assert await look() == good | {"clock": Health.WARNING}


async def test_one_who_may_not_ask_for_the_configuration_is_told_so(
    server: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    with Redis(port=server.port) as database:
        database.acl_setuser("app", enabled=True, nopass=True, keys="*", commands=["+@all", "-config"])
    backend = opened(server.url.replace("://", "://app:any@"))
    findings = {each.name: each for each in await backend.diagnose()}
    assert findings["durability"].status is Health.WARNING
    assert findings["role"].status is Health.OK
