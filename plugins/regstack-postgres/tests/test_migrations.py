"""Installing the schema, and changing one that holds data."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from regstack.backends.sql import executor as kit
from regstack.backends.sql.schema import SCRIPTS
from regstack.errors import BackendError
from regstack.models.ids import new_id
from regstack.models.mfa_code import MfaCode, MfaKind
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.user import User
from regstack.testing.fixtures import answered
from regstack_postgres import executor as ours
from regstack_postgres.backend import PostgresBackend

pytestmark = pytest.mark.anyio

OpenBackend = Callable[..., PostgresBackend]
MakeUser = Callable[..., User]
Ask = Callable[..., Awaitable[Any]]

WIDEN = '''
"""Add a column, as most changes do."""

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"


def upgrade():
    tables = context.config.attributes["tables"]
    op.add_column(f"{tables.prefix}users", sa.Column("locale", sa.String), schema=tables.schema)
'''

LOCALE = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'locale'"


@pytest.fixture
def next_scripts(tmp_path: Path) -> Callable[[str], Path]:
    """Copy the Alembic folder, with one revision more."""

    def build(text: str) -> Path:
        folder = tmp_path / "100% next" / "migrations"
        shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions" / "0002_locale_of_a_user.py").write_text(text)
        return folder

    return build


async def populate(backend: PostgresBackend, make_user: MakeUser) -> list[User]:
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


async def test_the_first_install_says_what_it_did_and_the_second_does_nothing(
    build: OpenBackend, empty_url: str
) -> None:
    backend = build(database_url=empty_url)
    assert await backend.pending_changes() == ("0001: accounts",)
    first, second = await backend.install_schema(), await backend.install_schema()
    assert (first.revision, first.changes) == ("0001", ("0001: accounts",))
    assert (second.revision, second.changes) == ("0001", ())
    assert await backend.pending_changes() == ()


@pytest.mark.parametrize("schema", [None, "Shop"])
@pytest.mark.parametrize("prefix", ["regstack_", "", "a234567890123456789012345678901"])
async def test_the_migrations_make_exactly_the_tables_that_the_statements_expect(
    build: OpenBackend, empty_url: str, make_user: MakeUser, schema: str | None, prefix: str
) -> None:
    backend = build(database_url=empty_url, table_prefix=prefix, db_schema=schema)
    await backend.install_schema()

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": backend.tables.version_table,
                "version_table_schema": schema,
                "include_schemas": schema is not None,
                "include_name": lambda name, kind, _: kind != "schema" or name == schema,
                "compare_server_default": True,
            },
        )
        return list(compare_metadata(context, backend.tables.metadata))

    async with backend.executor.inspection() as connection:
        assert await connection.run_sync(differences) == []
    users = await populate(backend, make_user)
    assert await backend.users.list_page(limit=9) == users
    await backend.drop_schema()
    await backend.drop_schema()
    assert await backend.pending_changes() == ("0001: accounts",)
    async with backend.executor.inspection() as connection:
        assert await connection.run_sync(lambda sync: sync.dialect.get_table_names(sync, schema)) == []


async def test_public_is_the_same_whether_it_is_named_or_not(build: OpenBackend, empty_url: str) -> None:
    places = [build(database_url=empty_url, db_schema=schema) for schema in (None, "public")]
    reports = await asyncio.gather(*(place.install_schema() for place in places))
    assert sorted(len(report.changes) for report in reports) == [0, 1]


async def test_two_prefixes_and_two_schemas_share_a_database_and_nothing_else(
    build: OpenBackend, empty_url: str, make_user: MakeUser
) -> None:
    places = [
        build(database_url=empty_url, table_prefix=prefix, db_schema=schema)
        for prefix in ("one_", "two_")
        for schema in (None, "shop", "bar")
    ]
    reports = await asyncio.gather(*(place.install_schema() for place in places))
    assert [len(report.changes) for report in reports] == [1] * 6
    user = make_user(is_superuser=True)
    for place in places:
        assert await place.users.get_by_id(user.id) is None
        assert await place.users.create(user) == user
    await places[0].drop_schema()
    for place in places[1:]:
        assert await place.users.get_by_id(user.id) == user


@pytest.mark.parametrize("schema", ["", "shop"])
async def test_four_processes_may_install_at_once_on_an_empty_database(
    empty_url: str, run_together: Callable[..., list[list[str]]], schema: str
) -> None:
    printed = [line for lines in run_together(4, "install", empty_url, schema) for line in lines]
    assert sorted(printed) == ["0001 0", "0001 0", "0001 0", "0001 1"]


async def test_four_processes_may_upgrade_populated_data_at_once(
    backend: PostgresBackend,
    url: str,
    make_user: MakeUser,
    next_scripts: Callable[[str], Path],
    run_together: Callable[..., list[list[str]]],
    administer: Ask,
) -> None:
    users = await populate(backend, make_user)
    scripts = str(next_scripts(WIDEN))
    printed = [line for lines in run_together(4, "install", url, "", "regstack_", scripts) for line in lines]
    assert sorted(printed) == ["0002 0", "0002 0", "0002 0", "0002 1"]
    assert await administer(LOCALE) == 1
    # What was prepared before the change goes on, and older code leaves the newer schema alone.
    assert await backend.users.list_page(limit=9) == users
    assert (await backend.install_schema()).changes == ()
    assert (await backend.install_schema()).revision == "0002"


async def test_a_migration_that_fails_half_way_leaves_everything_as_it_was(
    backend: PostgresBackend, make_user: MakeUser, next_scripts: Callable[[str], Path], administer: Ask
) -> None:
    users = await populate(backend, make_user)
    backend.scripts = next_scripts(WIDEN + '    op.execute("SELECT * FROM nowhere")\n')
    with pytest.raises(BackendError):
        await backend.install_schema()
    assert await administer(LOCALE) == 0
    assert await backend.users.list_page(limit=9) == users
    assert await backend.users.create(make_user())


async def test_a_migration_takes_longer_than_a_statement_may(
    open_backend: OpenBackend, next_scripts: Callable[[str], Path]
) -> None:
    backend = open_backend(db_timeout_seconds=0.4)
    backend.scripts = next_scripts(WIDEN + '    op.execute("SELECT pg_sleep(1)")\n')
    # The statements beside the migration keep to the deadline, which a busy machine may cost them.
    assert (await answered(backend.install_schema)).revision == "0002"


async def test_a_lock_that_others_keep_ends_the_waiting(
    open_backend: OpenBackend, url: str, next_scripts: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"lock_timeout = {round(kit.MIGRATION_PATIENCE_SECONDS * 1000)}" in ours._MIGRATION_LIMITS
    monkeypatch.setattr(ours, "_MIGRATION_LIMITS", "SET LOCAL lock_timeout = 200")
    backend = open_backend()
    backend.scripts = next_scripts(WIDEN)
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("SELECT * FROM regstack_users")
        with pytest.raises(BackendError, match="pg_stat_activity"):
            await backend.install_schema()
    await other.close()
    assert (await backend.install_schema()).revision == "0002"


async def test_installing_can_be_cancelled_at_every_step(build: OpenBackend, empty_url: str) -> None:
    backend = build(database_url=f"{empty_url}?sslmode=disable", db_pool_size=1)
    for steps in (*range(12), *range(12, 200, 17)):
        task = asyncio.create_task(backend.install_schema())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await backend.install_schema()).revision == "0001"
        await backend.drop_schema()


def test_a_schema_that_is_current_imports_neither_alembic_nor_tenacity(
    url: str, run_together: Callable[..., list[list[str]]]
) -> None:
    assert run_together(1, "imports", url) == [[""]]
