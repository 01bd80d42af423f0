"""Clients, event loops and instances."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC
from typing import Any

import pytest
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.write_concern import WriteConcern

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.errors import BackendUnavailable, ConfigurationError
from regstack.testing.builders import Builder
from regstack_mongo.backend import MongoBackend
from regstack_mongo.connection import Connection
from tests.servers.mongo import MongoReplicaSet

pytestmark = pytest.mark.anyio


def test_one_backend_serves_several_event_loops_and_leaves_nothing_open(
    standalone_url: str, clock: FrozenClock, make: Builder
) -> None:
    backend = MongoBackend(config=RegStackConfig(database_url=standalone_url), clock=clock)
    user = make.user()

    async def first() -> None:
        await backend.install_schema()
        await backend.users.create(user)

    asyncio.run(first())
    client = backend.executor._connection.client  # type: ignore[union-attr]
    for _ in range(2):
        assert asyncio.run(backend.users.get_by_id(user.id)) == user
    assert client._closed  # the event loop's end closed it, although nobody called aclose
    gc.collect()  # an open socket or client would be a ResourceWarning, and so an error


async def test_many_first_uses_at_once_open_one_connection(
    backend: MongoBackend, open_backend: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    greet = Connection.greet

    async def counted(connection: Connection) -> dict[str, Any]:
        opened.append(connection)
        return await greet(connection)

    monkeypatch.setattr(Connection, "greet", counted)
    other = open_backend(url)
    await asyncio.gather(*(other.users.count() for _ in range(32)))
    assert len(opened) == 1


async def test_a_first_use_that_is_cancelled_spoils_nothing_for_the_others(
    backend: MongoBackend, open_backend: Any, url: str
) -> None:
    for turns in range(12):
        other = open_backend(url)
        tasks = [asyncio.create_task(other.users.count()) for _ in range(2)]
        for _ in range(turns):
            await asyncio.sleep(0)
        tasks[0].cancel()
        assert await tasks[1] == 0
        await other.aclose()


async def test_two_instances_over_two_databases_live_side_by_side(
    open_backend: Any, standalone_url: str, mongo_url: str, make: Builder
) -> None:
    one, other = open_backend(standalone_url), open_backend(mongo_url, mongodb_database="plugin_2")
    third = open_backend(standalone_url, table_prefix="other_")
    for backend in (one, other, third):
        await backend.install_schema()
    user = await one.users.create(make.user())
    await third.users.get_by_id(user.id)
    assert await other.users.get_by_id(user.id) is None
    assert await third.users.get_by_id(user.id) is None
    assert await one.users.get_by_id(user.id) == user
    classes = [(await backend.documents()).users for backend in (one, other, third)]
    assert [each.get_pymongo_collection().full_name for each in classes] == [
        "plugin.regstack_users",
        "plugin_2.regstack_users",
        "plugin.other_users",
    ]
    await other.drop_schema()


async def test_a_hosts_client_is_used_by_our_rules_and_left_open(
    url: str, clock: FrozenClock, make: Builder
) -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        url, tz_aware=False, w=0, readPreference="secondaryPreferred", readConcernLevel="local"
    )
    try:
        backend = MongoBackend.from_client(client, config=RegStackConfig(), clock=clock)
        await backend.install_schema()
        user = await backend.users.create(make.user(last_login=clock.now()))
        found = await backend.users.get_by_id(user.id)
        assert found == user
        assert found is not None
        assert found.created_at.tzinfo is not None
        assert found.created_at.astimezone(UTC) == clock.now()
        connection = backend.executor._connection
        assert connection is not None
        assert connection.users.full_name == "plugin.regstack_users"
        users = (await backend.documents()).users.get_pymongo_collection()
        for collection in (connection.users, users):
            assert collection.read_preference == ReadPreference.PRIMARY
            assert collection.write_concern == WriteConcern("majority", j=True)
            assert collection.read_concern.level == "majority"
            assert collection.codec_options == CodecOptions(tz_aware=True)
        await backend.aclose()
        assert (await client.admin.command("ping"))["ok"] == 1
    finally:
        await client.close()
    with pytest.raises(BackendUnavailable, match="closed"):
        await backend.users.count()


async def test_what_the_url_prefers_does_not_matter(open_backend: Any, mongo_url: str) -> None:
    backend = open_backend(
        f"{mongo_url}&readPreference=secondary&w=0&journal=false&readConcernLevel=available"
    )
    await backend.install_schema()
    users = backend.executor._connection.users
    assert users.read_preference == ReadPreference.PRIMARY
    assert users.write_concern == WriteConcern("majority", j=True)
    await backend.drop_schema()


@pytest.mark.parametrize(
    ("suffix", "settings", "pool", "database"),
    [
        ("/", {}, 5, "regstack"),
        ("/", {"db_pool_size": 7, "mongodb_database": "elsewhere"}, 7, "elsewhere"),
        ("/named?maxPoolSize=3", {"db_pool_size": 7, "mongodb_database": "elsewhere"}, 3, "named"),
    ],
)
async def test_pool_and_database_come_from_the_url_or_else_from_the_settings(
    suffix: str, settings: dict[str, Any], pool: int, database: str, clock: FrozenClock
) -> None:
    config = RegStackConfig(database_url=f"mongodb://127.0.0.1:1{suffix}", **settings)
    source = MongoBackend(config=config, clock=clock).executor.source
    client = source.client()
    assert source.database == database
    assert client.options.pool_options.max_pool_size == pool
    assert client.options.pool_options.connect_timeout == config.db_connect_timeout_seconds
    assert client.options.server_selection_timeout == config.db_connect_timeout_seconds
    assert client.options.retry_writes


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://",
        "mongodb://user:s3cret@/db",
        "mongodb://user:s3@cret:s3cret@host/db",
        "mongodb://user:s3cret@host:port/db",
        "mongodb://user:s3cret@host/s3cret db",
        "mongodb+srv:///s3cret",
        "mongodb+srv://user:s3cret@host/s3cret$db",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_showing_it(url: str, clock: FrozenClock) -> None:
    with pytest.raises(ConfigurationError, match="database_url is not a MongoDB URL") as raised:
        MongoBackend(config=RegStackConfig(database_url=url), clock=clock)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert "s3cret" not in str(raised.value)


def test_the_constructor_asks_neither_server_nor_name_server(clock: FrozenClock) -> None:
    for url in ("mongodb://127.0.0.1:1/x", "mongodb+srv://user:s3cret@no-such-host.invalid/x"):
        MongoBackend(config=RegStackConfig(database_url=url), clock=clock)


async def test_a_secondary_named_by_the_url_is_refused(open_backend: Any, make: Builder) -> None:
    with MongoReplicaSet(2, electable=1) as servers:
        primary = servers.primary()
        (secondary,) = [server for server in servers.servers if server is not primary]
        backend = open_backend(secondary.url)
        with pytest.raises(BackendUnavailable, match="not the primary"):
            await backend.users.count()
        with pytest.raises(BackendUnavailable, match="not the primary"):
            await backend.blacklist.revoke("x", make.clock.now())
        role = {finding.name: finding for finding in await backend.diagnose()}["server role"]
        assert role.status == "failed"
        assert "secondary" in role.detail
        assert role.next_step
        whole = open_backend(servers.url)
        await whole.install_schema()
        user = await whole.users.create(make.user())
        assert await whole.users.get_by_id(user.id) == user
