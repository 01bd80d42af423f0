"""Files that cannot be used: the error says what to do, and shows no secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from regstack.errors import BackendError, BackendUnavailable, ConfigurationError, InvalidText, NaiveDatetime
from regstack.models.user import User
from regstack_sqlite.backend import SqliteBackend

pytestmark = pytest.mark.anyio


async def test_a_missing_folder_is_named(open_backend: Callable[..., SqliteBackend], tmp_path: Path) -> None:
    backend = open_backend(database_url=f"sqlite:///{tmp_path}/nowhere/x.db")
    for operation in (backend.ping, backend.install_schema):
        with pytest.raises(BackendUnavailable, match="nowhere' of the database file does not exist"):
            await operation()
    (tmp_path / "nowhere").mkdir()
    await backend.install_schema()
    await backend.ping()


async def test_a_folder_in_place_of_the_file_cannot_be_opened(
    open_backend: Callable[..., SqliteBackend], tmp_path: Path
) -> None:
    with pytest.raises(BackendUnavailable, match="cannot be opened") as caught:
        await open_backend(database_url=f"sqlite:///{tmp_path}").ping()
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


async def test_a_file_that_is_no_database_is_recognised(
    open_backend: Callable[..., SqliteBackend], path: Path
) -> None:
    path.write_bytes(b"Dear diary, " * 1000)  # noqa: ASYNC240
    with pytest.raises(BackendUnavailable, match="not an SQLite database"):
        await open_backend().install_schema()


async def test_a_read_only_file_refuses_writes_and_says_so(
    backend: SqliteBackend,
    open_backend: Callable[..., SqliteBackend],
    make_user: Callable[..., User],
    path: Path,
) -> None:
    user = await backend.users.create(make_user())
    reading = open_backend(database_url=f"sqlite:///file:{path}?mode=ro&uri=true")
    assert await reading.users.get_by_id(user.id) == user
    with pytest.raises(BackendUnavailable, match="read-only"):
        await reading.users.create(make_user())
    with pytest.raises(BackendUnavailable, match="read-only"):
        await reading.users.delete(user.id)


async def test_a_full_disk_fails_cleanly_and_recovers(
    backend: SqliteBackend, make_user: Callable[..., User]
) -> None:
    await backend.users.create(make_user())
    writer = await backend.executor._open.writer()  # type: ignore[attr-defined]
    ((pages,),) = await writer.execute_fetchall("PRAGMA page_count")
    await writer.execute_fetchall(f"PRAGMA max_page_count={pages}")
    with pytest.raises(BackendUnavailable, match="disk is full"):
        await backend.users.create(make_user(full_name="x" * 100_000))
    count = await backend.users.count()
    await writer.execute_fetchall("PRAGMA max_page_count=1000000")
    await backend.users.create(make_user())
    assert await backend.users.count() == count + 1


async def test_missing_tables_say_how_to_install_them(open_backend: Callable[..., SqliteBackend]) -> None:
    with pytest.raises(BackendError, match="install_schema"):
        await open_backend().users.get_by_id("x")


async def test_a_file_that_is_gone_fails_the_ping(backend: SqliteBackend, path: Path) -> None:
    await backend.ping()
    path.unlink()  # noqa: ASYNC240
    with pytest.raises(BackendUnavailable, match="gone"):
        await backend.ping()


async def test_a_url_that_is_none_is_refused_without_showing_it(
    open_backend: Callable[..., SqliteBackend],
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_backend(database_url="s3cret")
    assert "s3cret" not in str(caught.value)


async def test_values_that_no_database_takes_are_refused_before_it(
    backend: SqliteBackend, make_user: Callable[..., User]
) -> None:
    for bad in ("nul\0", "\ud800"):
        with pytest.raises(InvalidText):
            await backend.users.get_by_email(bad)
        with pytest.raises(InvalidText):
            await backend.users.create(make_user(full_name=bad))
        with pytest.raises(InvalidText):
            await backend.users.list_page(limit=1, search=bad)
    user = await backend.users.create(make_user())
    with pytest.raises(NaiveDatetime):
        await backend.users.record_login(user.id, user.created_at.replace(tzinfo=None))
