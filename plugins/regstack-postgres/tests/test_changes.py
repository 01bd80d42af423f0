"""Notices: what one process announces another one hears, and a listener that is cut off notices it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import pytest

import regstack_postgres.changes as changes
from regstack.backends.changes import ANYTHING, Change
from regstack.errors import BackendError, BackendUnavailable, ConfigurationError
from regstack.testing.proxy import Address, FaultProxy
from tests.servers.databases import PostgresDatabases

pytestmark = pytest.mark.anyio

ALICE, TOKEN = Change(user_id="alice"), Change(jti="token")
DEADLINE_SECONDS = 30
LISTENERS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'
"""


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[FaultProxy]:
    parts = urlsplit(url)
    async with FaultProxy(Address("127.0.0.1", parts.port or 5432), is_upkeep=lambda _: False) as proxy:
        yield proxy


def through(proxy: FaultProxy, url: str) -> str:
    return urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{proxy.address.port}").geturl()


async def following(heard: Any) -> Change:
    """The next change that is told, but for those by which listeners try whether they hear."""
    while (change := await anext(heard)).jti is not None and change.jti.startswith("nobody's-"):
        pass
    return change


async def test_what_is_announced_is_heard_by_every_listener_and_only_on_its_channel(
    open_backend: Any, url: str
) -> None:
    one, other = open_backend(db_notify_url=url), open_backend(db_notify_url=url)
    stranger = open_backend(db_notify_url=url, table_prefix="other_")
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        aclosing(one.change_feed().listen()) as first,
        aclosing(other.change_feed().listen()) as second,
    ):
        assert [await anext(first), await anext(second)] == [ANYTHING, ANYTHING]
        await stranger.change_feed().announce(Change(user_id="somebody else"))
        for change in (ALICE, TOKEN, ANYTHING):
            await other.change_feed().announce(change)
            assert [await following(first), await following(second)] == [change, change]


async def test_a_listener_that_is_cut_off_says_so_and_leaves_nothing_open(
    open_backend: Any, url: str, proxy: FaultProxy, administer: Any
) -> None:
    feed = open_backend(db_notify_url=through(proxy, url)).change_feed()
    async with asyncio.timeout(DEADLINE_SECONDS):
        async with aclosing(feed.listen()) as heard:
            assert await anext(heard) == ANYTHING
            proxy.drop()
            with pytest.raises(BackendUnavailable):
                await anext(heard)
        async with aclosing(feed.listen()) as heard:  # and it can be listened to again
            assert await anext(heard) == ANYTHING
            await feed.announce(ALICE)
            assert await anext(heard) == ALICE
        while True:
            if not await administer(LISTENERS):
                break
            await asyncio.sleep(0.01)


async def test_a_server_that_falls_silent_is_noticed(
    open_backend: Any, url: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SECONDS_OF_SILENCE", 0.01)
    settings = {"db_notify_url": through(proxy, url), "db_connect_timeout_seconds": 3}
    feed = open_backend(**settings).change_feed()
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing(feed.listen()) as heard:
        assert await anext(heard) == ANYTHING
        sent = asyncio.ensure_future(anext(heard))
        while True:  # it asks now and then, and is answered
            if len(proxy.exchanges) >= 5:
                break
            await asyncio.sleep(0.01)
        proxy.stall()
        with pytest.raises(BackendUnavailable, match="db_notify_url"):
            await sent


async def test_a_url_of_another_database_is_told(
    open_backend: Any, postgres_databases: PostgresDatabases
) -> None:
    elsewhere = postgres_databases.url_of("postgres")
    feed = open_backend(db_notify_url=elsewhere, db_connect_timeout_seconds=3).change_feed()
    with pytest.raises(BackendUnavailable, match="the database of database_url"):
        await anext(feed.listen())


async def test_a_server_that_is_not_there_is_told(open_backend: Any) -> None:
    feed = open_backend(db_notify_url="postgresql://user:secret@127.0.0.1:1/database").change_feed()
    with pytest.raises(BackendError) as caught:
        await anext(feed.listen())
    assert "secret" not in str(caught.value)


async def test_without_a_url_of_its_own_nobody_listens(open_backend: Any) -> None:
    assert open_backend().change_feed() is None


async def test_a_url_that_cannot_be_read_is_told_by_the_setting_s_own_name(open_backend: Any) -> None:
    for url in ("mysql://host/database", "postgresql://host/database?timeout=3"):
        with pytest.raises(ConfigurationError, match="db_notify_url") as caught:
            open_backend(db_notify_url=url).change_feed()
        assert "database_url" not in str(caught.value)
