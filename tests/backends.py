"""On which backends a test runs, if not on all."""

from __future__ import annotations

import pytest

ON_MEMORY = pytest.mark.parametrize("database_url", ["memory"], indirect=True)
"""For what storage has no part in: the reference backend is enough."""
