"""Backends of the Redis sample, for attacks on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.testing.builders import Builder
from regstack_redis_sample.backend import RedisBackend


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def make(clock: FrozenClock) -> Builder:
    return Builder(clock)


@pytest.fixture
async def opened(clock: FrozenClock) -> AsyncIterator[Callable[..., RedisBackend]]:
    """Open backends by URL and settings; all are closed in the end."""
    backends: list[RedisBackend] = []

    def open_(url: str, **settings: Any) -> RedisBackend:
        config = RegStackConfig(database_url=url, **settings)
        backends.append(RedisBackend(config=config, clock=clock))
        return backends[-1]

    yield open_
    for backend in backends:
        await backend.aclose()
