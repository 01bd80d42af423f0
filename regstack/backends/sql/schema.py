"""The state of the tables, and what brings it up to date."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import MetaData, Table, column, select, table
from sqlalchemy.schema import CreateSchema

from regstack.backends.base import SchemaReport
from regstack.backends.sql.executor import MissingTable
from regstack.backends.sql.types import Text
from regstack.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import Connection

    from regstack.backends.sql.executor import Executor
    from regstack.backends.sql.tables import Tables

SCRIPTS = Path(__file__).parent / "migrations"
"""The Alembic folder; its revisions are named `versions/<revision>_<what>.py`, and sort by age."""

_ALEMBIC = threading.Lock()
"""Alembic's `op` and `context` belong to the whole process, so it migrates one thing at a time."""

_POLL_SECONDS = 0.005


class Schema:
    """Compares the database's revision with the newest script, and upgrades.

    Alembic is imported only where something has to change.

    Args:
        db: the way to the database.
        tables: names of the tables, and of the version table.
        scripts: the Alembic folder.
    """

    def __init__(self, db: Executor, tables: Tables, scripts: Path = SCRIPTS) -> None:
        self._db = db
        self._tables = tables
        self._scripts = scripts
        versions = table(tables.version_table, column("version_num", Text), schema=tables.schema)
        self._read = db.prepare(select(versions.c.version_num))

    async def revision(self) -> str:
        """Read the database's revision; empty where nothing is installed."""
        try:
            row = await self._db.fetch_one(self._read)
        except MissingTable:
            return ""
        return str(row[0]) if row is not None else ""

    def newer_than(self, revision: str) -> tuple[tuple[str, str], ...]:
        """Give revision and title of each script after `revision`, oldest first."""
        stems = sorted(path.stem for path in (self._scripts / "versions").glob("[0-9]*.py"))
        pairs = (stem.split("_", 1) for stem in stems)
        return tuple((number, title.replace("_", " ")) for number, title in pairs if number > revision)

    async def pending_changes(self) -> tuple[str, ...]:
        """Say what `install` would change, without changing anything."""
        return _lines(self.newer_than(await self.revision()))

    async def install(self) -> SchemaReport:
        """Upgrade to the newest revision; a schema that is newer than that is left alone."""
        current = await self.revision()
        if not self.newer_than(current):
            return SchemaReport(revision=current)
        async with _one_in_the_process(), self._db.migration() as connection:
            return await connection.run_sync(self._upgrade)

    async def drop(self) -> None:
        """Drop the tables and their revision; the SQL schema stays, since others may use it."""
        async with self._db.migration() as connection:
            await connection.run_sync(self._drop)

    def _drop(self, connection: Connection) -> None:
        self._tables.metadata.drop_all(connection)
        version_table = Table(self._tables.version_table, MetaData(), schema=self._tables.schema)
        version_table.drop(connection, checkfirst=True)

    def _upgrade(self, connection: Connection) -> SchemaReport:
        from alembic import command  # noqa: PLC0415 - costs more than all the rest of a start
        from alembic.config import Config  # noqa: PLC0415
        from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
        from alembic.util import CommandError  # noqa: PLC0415

        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": self._tables.version_table,
                "version_table_schema": self._tables.schema,
            },
        )
        current = context.get_current_revision() or ""
        missing = self.newer_than(current)
        if not missing:
            return SchemaReport(revision=current)
        if self._tables.schema is not None:
            connection.execute(CreateSchema(self._tables.schema, if_not_exists=True))
        config = Config(attributes={"connection": connection, "tables": self._tables})
        config.set_main_option("script_location", str(self._scripts).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise BackendError(f"the migration scripts do not fit the database: {error}") from error
        return SchemaReport(revision=missing[-1][0], changes=_lines(missing))


def _lines(revisions: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(f"{revision}: {title}" for revision, title in revisions)


@asynccontextmanager
async def _one_in_the_process() -> AsyncIterator[None]:
    while not _ALEMBIC.acquire(blocking=False):  # noqa: ASYNC110 - an Event would belong to one loop
        await asyncio.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        _ALEMBIC.release()
