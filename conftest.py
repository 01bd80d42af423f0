"""What all tests share: hypothesis profiles, the event loop, and a header that says what runs."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import entry_points

import pytest
from hypothesis import settings

# A failure in CI must come back at the next run of the same code, on a machine of any speed.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, and let fixtures of any scope be asynchronous."""
    return "asyncio"


def pytest_report_header() -> list[str]:
    """Say which interpreter, servers and backends the tests run on."""
    backends = sorted(
        f"{point.name} ({point.dist.name} {point.dist.version})" if point.dist else point.name
        for point in entry_points(group="regstack.backends")
    )
    return [
        f"backends: {', '.join(backends) or 'none'}",
        f"servers: SQLite {sqlite3.sqlite_version}, in process; Python {platform.python_version()}",
    ]
