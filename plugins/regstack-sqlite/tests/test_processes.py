"""Several processes on one file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from regstack.errors import BackendTimeout
from regstack.models.user import User
from regstack.testing.fixtures import answered
from regstack_sqlite.backend import SqliteBackend

pytestmark = pytest.mark.anyio

SLACK_SECONDS = 10.0
"""What a busy machine may add to a deadline; the lock stays for longer than any test."""


async def test_fifty_writers_in_several_processes_lose_no_update(
    backend: SqliteBackend, run_together: Callable[..., list[list[str]]]
) -> None:
    outputs = run_together(4, "claim", "13", "4")
    counts = sorted(int(number) for output in outputs for line in output for number in line.split())
    assert counts == list(range(1, 4 * 13 * 4 + 1))


async def test_a_lock_that_stays_is_a_timeout_within_the_deadline(
    backend: SqliteBackend,
    open_backend: Callable[..., SqliteBackend],
    make_user: Callable[..., User],
    path: Path,
) -> None:
    # Long enough for the last try to end before the deadline, on a busy machine too.
    hurried = open_backend(db_timeout_seconds=2)
    user = await backend.users.create(make_user())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        for operation in (
            lambda: hurried.users.record_login(user.id, user.created_at),
            lambda: hurried.users.delete(user.id),
        ):
            start_time = time.monotonic()
            with pytest.raises(BackendTimeout, match="db_timeout_seconds") as caught:
                await operation()
            assert time.monotonic() - start_time < 2 + SLACK_SECONDS
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert await answered(lambda: hurried.users.get_by_id(user.id)) == user
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert await answered(lambda: hurried.users.record_login(user.id, user.created_at))
    assert await backend.users.delete(user.id)


async def test_a_short_lock_is_waited_for(
    backend: SqliteBackend, make_user: Callable[..., User], path: Path
) -> None:
    user = await backend.users.create(make_user())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    retries: list[str] = []
    translate = backend.executor.translate

    def translate_and_let_go(error: Exception) -> object:
        retries.append(str(error))
        if len(retries) == 2:
            other.execute("ROLLBACK")
        return translate(error)

    backend.executor.translate = translate_and_let_go  # type: ignore[method-assign,assignment]
    assert await backend.users.record_login(user.id, user.created_at)
    assert retries == ["database is locked"] * 2
    other.close()
