"""How the suite opens this backend."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from redis.asyncio.connection import AbstractConnection

from regstack.backends.base import Backend
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
