"""How the suite opens this backend, and what this folder's own tests share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from redis.asyncio.connection import AbstractConnection

from regstack.auth.clock import FrozenClock
from regstack.backends.base import Backend
from regstack.config.schema import RegStackConfig
from regstack.testing.builders import Builder
from regstack.testing.harness import StatementCount, UrlHarness

URL = os.environ.get("REGSTACK_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


class RedisHarness(UrlHarness):
    """Counts what the driver sends; all else is said by the URL."""

    @contextmanager
    def count_statements(self, backend: Backend) -> Iterator[StatementCount]:
        count = StatementCount()
        send = AbstractConnection.send_packed_command

        async def counted(connection: Any, command: Any, *args: Any, **kwargs: Any) -> None:
            count.statements.append(repr(command))
            await send(connection, command, *args, **kwargs)

        with patch.object(AbstractConnection, "send_packed_command", counted):
            yield count


@pytest.fixture(scope="session")
def harness() -> Iterator[RedisHarness]:
    harness = RedisHarness(URL, "redis")
    yield harness
    harness.close()


Open = Callable[..., Any]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def make(clock: FrozenClock) -> Builder:
    return Builder(clock)


@pytest.fixture
async def opened(clock: FrozenClock) -> AsyncIterator[Open]:
    """Open backends by URL and settings; all are closed in the end."""
    # Inside, since the suite is also run where only the installed distribution can be imported.
    from regstack_redis_sample.backend import RedisBackend

    backends: list[RedisBackend] = []

    def open_(url: str, **settings: Any) -> RedisBackend:
        config = RegStackConfig(database_url=url, **settings)
        backends.append(RedisBackend(config=config, clock=clock))
        return backends[-1]

    yield open_
    for backend in backends:
        await backend.aclose()
