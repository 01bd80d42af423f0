"""What a change stream tells of accounts and revoked tokens."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from regstack.backends.changes import ANYTHING, Change
from regstack.errors import BackendError, BackendUnavailable
from regstack.testing.builders import Builder
from tests.servers.mongo import MongoServer

from .conftest import emptied, every_text, failing

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 30


@pytest.fixture
async def on_a_set(open_backend: Any, mongo_url: str) -> Any:
    """A backend with its schema on a replica set."""
    backend = open_backend(emptied(mongo_url))
    await backend.install_schema()
    return backend


async def test_changes_of_accounts_and_revocations_are_told_and_nothing_else(
    on_a_set: Any, make: Builder
) -> None:
    backend, user = on_a_set, make.user()
    hour = backend.clock.now() + timedelta(hours=1)
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing(backend.change_feed().listen()) as heard:
        assert await anext(heard) == ANYTHING
        await backend.users.create(user)
        await backend.pending.put(make.pending())
        await backend.attempts.record_failure("key", window=timedelta(hours=1), now=backend.clock.now())
        await backend.users.set_flags(user.id, is_active=False)
        assert await anext(heard) == Change(user_id=user.id)
        await backend.blacklist.revoke("token", hour)
        assert await anext(heard) == Change(jti="token")
        await backend.users.delete(user.id)
        assert await anext(heard) == Change(user_id=user.id)
        await backend.drop_schema()
        assert await anext(heard) == ANYTHING


async def test_a_stream_that_breaks_off_for_good_says_so(on_a_set: Any, mongo_url: str) -> None:
    history_lost = 286
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing(on_a_set.change_feed().listen()) as heard:
        assert await anext(heard) == ANYTHING
        refused = failing(mongo_url, ["getMore"], mode="alwaysOn", errorCode=history_lost)
        with refused, pytest.raises(BackendError):
            await anext(heard)


async def test_a_single_server_has_nothing_to_listen_to(
    open_backend: Any, standalone: MongoServer, standalone_url: str
) -> None:
    backend = open_backend(standalone_url)
    assert [change async for change in backend.change_feed().listen()] == []


async def test_a_server_that_is_not_there_is_told(open_backend: Any) -> None:
    url = "mongodb://user:secret@127.0.0.1:1/database"
    feed = open_backend(url, db_connect_timeout_seconds=0.2).change_feed()
    with pytest.raises(BackendUnavailable) as caught:
        await anext(feed.listen())
    assert "secret" not in every_text(caught.value)
