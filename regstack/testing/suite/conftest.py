"""What only the suite itself needs."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run on asyncio, whatever else is installed."""
    return "asyncio"
