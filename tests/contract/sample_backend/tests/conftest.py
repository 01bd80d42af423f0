"""How the suite opens this backend."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from regstack.testing.harness import UrlHarness

URL = os.environ.get("REGSTACK_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


@pytest.fixture(scope="session")
def harness() -> Iterator[UrlHarness]:
    harness = UrlHarness(URL, "redis")
    yield harness
    harness.close()
