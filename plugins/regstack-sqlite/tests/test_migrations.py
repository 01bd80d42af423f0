"""Installing the schema, and changing one that holds data."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from regstack.backends.sql.schema import SCRIPTS
from regstack.errors import BackendError
from regstack.models.ids import new_id
from regstack.models.mfa_code import MfaCode, MfaKind
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.user import User
from regstack_sqlite.backend import SqliteBackend

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).with_name("worker.py")

REBUILD = '''
"""Rebuild the users' table, as SQLite must for most changes."""

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"


def upgrade():
    tables = context.config.attributes["tables"]
    with op.batch_alter_table(f"{tables.prefix}users", schema=tables.schema, recreate="always") as users:
        users.add_column(sa.Column("locale", sa.String))
'''

DESTROY = REBUILD + '    op.execute(f"DELETE FROM {tables.prefix}users")\n'


@pytest.fixture
def next_scripts(tmp_path: Path) -> Callable[[str], Path]:
    """Copy the Alembic folder, with one revision more."""

    def build(text: str) -> Path:
        folder = tmp_path / "100% next" / "migrations"
        shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions" / "0002_locale_of_a_user.py").write_text(text)
        return folder

    return build


async def populate(backend: SqliteBackend, make_user: Callable[..., User]) -> list[User]:
    """Store three users with one row of each kind that is keyed to them."""
    now = backend.clock.now()
    later = now + timedelta(hours=1)
    users = [await backend.users.create(make_user(full_name=f"Zoë {number}")) for number in range(3)]
    for user in users:
        await backend.mfa_codes.put(MfaCode(user.id, MfaKind.LOGIN, "ab", "+1", 3, now, later))
        await backend.oauth_identities.create(
            OAuthIdentity(new_id(backend.clock), user.id, "google", "issuer", user.id, None, now)
        )
        await backend.oauth_states.create(OAuthState(user.id, "google", "cd", None, user.id, now, later))
    return users


def children(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    counts = [
        connection.execute(f"SELECT count(*) FROM regstack_{name}").fetchone()[0]
        for name in ("users", "mfa_codes", "oauth_identities", "oauth_states")
    ]
    connection.close()
    return counts


def columns_of_users(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    names = [row[1] for row in connection.execute("PRAGMA table_info(regstack_users)")]
    connection.close()
    return names


async def test_the_first_install_says_what_it_did_and_the_second_does_nothing(
    open_backend: Callable[..., SqliteBackend], path: Path
) -> None:
    backend = open_backend()
    assert await backend.pending_changes() == ("0001: accounts",)
    assert await backend.pending_changes() == ("0001: accounts",)
    first, second = await backend.install_schema(), await backend.install_schema()
    assert (first.revision, first.changes) == ("0001", ("0001: accounts",))
    assert (second.revision, second.changes) == ("0001", ())
    assert await backend.pending_changes() == ()


@pytest.mark.parametrize("prefix", ["regstack_", "", "a234567890123456789012345678901"])
async def test_the_migrations_make_exactly_the_tables_that_the_statements_expect(
    open_backend: Callable[..., SqliteBackend], path: Path, prefix: str
) -> None:
    backend = open_backend(table_prefix=prefix)
    await backend.install_schema()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": backend.tables.version_table, "compare_server_default": True},
        )
        assert compare_metadata(context, backend.tables.metadata) == []
    engine.dispose()


async def test_names_have_room_for_the_longest_prefix_on_postgresql(
    open_backend: Callable[..., SqliteBackend],
) -> None:
    tables = open_backend(table_prefix="a" * 31).tables.metadata.tables.values()
    names = [str(part.name) for table in tables for part in (table, *table.constraints, *table.indexes)]
    assert "None" not in names
    assert max(map(len, names)) <= 63
    assert len(set(names)) == len(names)


async def test_a_schema_that_is_current_imports_neither_alembic_nor_tenacity(
    backend: SqliteBackend, path: Path
) -> None:
    command = [sys.executable, "-W", "error", str(WORKER), "imports", f"sqlite:///{path}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: ASYNC221
    assert found.stdout == "\n"


async def test_two_prefixes_share_a_file_and_nothing_else(
    open_backend: Callable[..., SqliteBackend], make_user: Callable[..., User]
) -> None:
    one, two = open_backend(table_prefix="one_"), open_backend(table_prefix="two_")
    reports = await asyncio.gather(one.install_schema(), two.install_schema())
    assert [len(report.changes) for report in reports] == [1, 1]
    user = await one.users.create(make_user())
    assert await two.users.get_by_id(user.id) is None
    assert await two.users.create(user) == user
    assert await two.users.delete(user.id)
    assert await one.users.get_by_id(user.id) == user


async def test_rebuilding_the_users_keeps_what_refers_to_them(
    backend: SqliteBackend,
    make_user: Callable[..., User],
    next_scripts: Callable[[str], Path],
    path: Path,
) -> None:
    users = await populate(backend, make_user)
    backend.scripts = next_scripts(REBUILD)
    assert await backend.pending_changes() == ("0002: locale of a user",)
    report = await backend.install_schema()
    assert (report.revision, report.changes) == ("0002", ("0002: locale of a user",))
    assert "locale" in columns_of_users(path)
    assert children(path) == [3, 3, 3, 3]
    assert await backend.users.list_page(limit=9) == users
    assert await backend.users.delete(users[0].id)
    assert children(path) == [2, 2, 2, 2]


async def test_a_migration_that_would_orphan_rows_is_undone(
    backend: SqliteBackend,
    make_user: Callable[..., User],
    next_scripts: Callable[[str], Path],
    path: Path,
) -> None:
    users = await populate(backend, make_user)
    backend.scripts = next_scripts(DESTROY)
    with pytest.raises(BackendError, match="refer to nothing"):
        await backend.install_schema()
    assert "locale" not in columns_of_users(path)
    assert await backend.users.list_page(limit=9) == users
    assert await backend.pending_changes() == ("0002: locale of a user",)
    assert await backend.users.delete(users[0].id)
    assert children(path) == [2, 2, 2, 2]


async def test_a_migration_that_fails_half_way_leaves_everything_as_it_was(
    backend: SqliteBackend,
    make_user: Callable[..., User],
    next_scripts: Callable[[str], Path],
    path: Path,
) -> None:
    await populate(backend, make_user)
    backend.scripts = next_scripts(REBUILD + '    op.execute("SELECT * FROM nowhere")\n')
    with pytest.raises(BackendError):
        await backend.install_schema()
    assert "locale" not in columns_of_users(path)
    assert children(path) == [3, 3, 3, 3]
    assert await backend.users.create(make_user())


async def test_a_newer_schema_is_left_alone(
    backend: SqliteBackend,
    open_backend: Callable[..., SqliteBackend],
    make_user: Callable[..., User],
    next_scripts: Callable[[str], Path],
) -> None:
    backend.scripts = next_scripts(REBUILD)
    await backend.install_schema()
    older = open_backend()
    assert await older.pending_changes() == ()
    report = await older.install_schema()
    assert (report.revision, report.changes) == ("0002", ())
    user = await older.users.create(make_user())
    assert await older.users.get_by_id(user.id) == user


async def test_four_processes_may_install_at_once_on_an_empty_file(
    run_together: Callable[..., list[list[str]]],
) -> None:
    printed = [line for lines in run_together(4, "install") for line in lines]
    assert sorted(printed) == ["0001 0", "0001 0", "0001 0", "0001 1"]


async def test_four_processes_may_upgrade_populated_data_at_once(
    backend: SqliteBackend,
    make_user: Callable[..., User],
    next_scripts: Callable[[str], Path],
    run_together: Callable[..., list[list[str]]],
    path: Path,
) -> None:
    users = await populate(backend, make_user)
    printed = [line for lines in run_together(4, "install", str(next_scripts(REBUILD))) for line in lines]
    assert sorted(printed) == ["0002 0", "0002 0", "0002 0", "0002 1"]
    assert children(path) == [3, 3, 3, 3]
    assert await backend.users.list_page(limit=9) == users


async def test_installing_can_be_cancelled_at_every_step(
    open_backend: Callable[..., SqliteBackend], path: Path
) -> None:
    for steps in range(0, 400, 7):
        backend = open_backend(table_prefix=f"p{steps}_")
        task = asyncio.create_task(backend.install_schema())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await backend.install_schema()).revision == "0001"
        await backend.aclose()
