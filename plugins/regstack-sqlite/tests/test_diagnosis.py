"""What `regstack doctor` is told of a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from regstack.models.finding import Health
from regstack_sqlite.backend import SqliteBackend

pytestmark = pytest.mark.anyio


async def test_a_schema_that_is_whole_is_all_right(backend: SqliteBackend) -> None:
    (finding,) = await backend.diagnose()
    assert finding.status is Health.OK
    assert await backend.users.count() == 0


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DROP TABLE regstack_blacklist", "table regstack_blacklist"),
        ("ALTER TABLE regstack_users DROP COLUMN phone_number", "column regstack_users.phone_number"),
        ("DROP INDEX regstack_pending_expires_at_idx", "index regstack_pending_expires_at_idx"),
    ],
)
async def test_parts_of_the_schema_that_are_missing_are_named(
    backend: SqliteBackend, path: Path, damage: str, told: str
) -> None:
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.close()
    (finding,) = await backend.diagnose()
    assert finding.status is Health.FAILED
    assert finding.detail == f"missing: {told}"
    assert finding.next_step


async def test_a_schema_that_is_not_there_is_left_to_pending_changes(
    open_backend: Callable[..., SqliteBackend],
) -> None:
    assert await open_backend().diagnose() == ()
