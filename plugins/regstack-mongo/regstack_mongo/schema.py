"""Installs and compares collections and indexes.

A document in the collection `schema` says which version they have. A newer one belongs to newer
code, whose schema this code can use (within a major version schemas only grow), so it is left
alone. Indexes are compared with what the server has each time, whatever the version says: somebody
may have dropped one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.read_concern import ReadConcern

from regstack.auth.clock import SystemClock
from regstack.backends.base import SchemaReport
from regstack.errors import BackendError
from regstack_mongo.errors import redacted
from regstack_mongo.indexes import PREFIX, as_it_is, wanted_indexes

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack_mongo.connection import Collection, Connection
    from regstack_mongo.executor import Executor
    from regstack_mongo.indexes import Index

VERSION = 1
_THIS = "schema"
_PATIENCE_SECONDS = 300.0
"""How long one process waits for its indexes, and for another one that builds them."""

_NAMESPACE_NOT_FOUND = 26
_INDEX_NOT_FOUND = 27
_OPTIONS_CONFLICT, _KEYS_CONFLICT = 85, 86
_DUPLICATES = 11000


@dataclass(frozen=True, slots=True)
class _Change:
    """One thing to do to one collection: drop an index by name, make one, or both.

    Attributes:
        collection: its name, an attribute of `Connection`.
        drop: name of the index to drop.
        make: the index to make.
        hidden: the index is as it should be, but hidden from queries.
        guards: the index that would be dropped is unique.
    """

    collection: str
    drop: str | None
    make: Index | None
    hidden: bool = False
    guards: bool = False

    def __str__(self) -> str:
        if self.hidden:
            return f"show the index {self.drop} of {self.collection}"
        if self.make is None:
            return f"drop the index {self.drop} of {self.collection}"
        verb = "rebuild" if self.drop else "make"
        return f"{verb} the index {self.make.name} of {self.collection}"


class Schema:
    """The schema of one backend instance.

    Args:
        executor: the way to the database.
        clock: only with the system clock does the server remove what expired by itself.
    """

    def __init__(self, executor: Executor, clock: Clock) -> None:
        self._db = executor
        self._wanted = wanted_indexes(ttl=isinstance(clock, SystemClock))

    async def install(self) -> SchemaReport:
        """Make what is missing and repair what differs."""
        patience = max(_PATIENCE_SECONDS, self._db.timeout)
        return await self._db.write(self._install, timeout=patience, several=True, installed=False)

    async def pending_changes(self) -> tuple[str, ...]:
        """Say what `install` would do."""

        async def changes(connection: Connection) -> tuple[str, ...]:
            version = await _version(connection)
            if version > VERSION:
                return ()
            return _told(connection, await self._compared(connection), version)

        return await self._db.read(changes, installed=False)

    async def drop(self) -> None:
        """Remove the collections."""

        async def drop(connection: Connection) -> None:
            for name in (*self._wanted, "schema"):
                collection: Collection = getattr(connection, name)
                await collection.drop()
            connection.installed = False

        await self._db.write(drop, several=True, installed=False)

    async def _install(self, connection: Connection) -> SchemaReport:
        version = await _version(connection)
        if version > VERSION:
            return SchemaReport(revision=str(version))
        changes = await self._compared(connection)
        for change in changes:
            await _made(getattr(connection, change.collection), change)
        if version < VERSION:
            # A higher one means that newer code was quicker; it stays.
            with suppress(DuplicateKeyError):
                await connection.schema.update_one(
                    {"_id": _THIS, "version": {"$lt": VERSION}}, {"$set": {"version": VERSION}}, upsert=True
                )
        connection.installed = True
        return SchemaReport(revision=str(VERSION), changes=_told(connection, changes, version))

    async def _compared(self, connection: Connection) -> list[_Change]:
        changes = []
        for name, wanted in self._wanted.items():
            collection: Collection = getattr(connection, name)
            found = await _indexes(collection)
            names = {index.name for index in wanted}
            changes += [
                _Change(name, stale, None)
                for stale in found
                if stale.startswith(PREFIX) and stale not in names
            ]
            for index in wanted:
                there = found.get(index.name)
                # The order of an index's fields matters, that of its options does not.
                if there is None:
                    changes.append(_Change(name, None, index))
                elif there != index.definition() or list(there["key"]) != list(index.keys):
                    hidden = there == {**index.definition(), "hidden": True}
                    guards = bool(there.get("unique"))
                    changes.append(_Change(name, index.name, index, hidden, guards))
        return changes


def _told(connection: Connection, changes: list[_Change], version: int) -> tuple[str, ...]:
    lines = [str(change) for change in changes]
    if version < VERSION:
        lines.append(f"note the schema version {VERSION} in {connection.schema.name}")
    return tuple(lines)


async def _version(connection: Connection) -> int:
    row = await connection.schema.find_one({"_id": _THIS})
    return int(row["version"]) if row is not None else 0


async def _indexes(collection: Collection) -> dict[str, dict[str, Any]]:
    try:
        rows = await (await collection.with_options(read_concern=ReadConcern()).list_indexes()).to_list()
    except OperationFailure as error:
        if error.code == _NAMESPACE_NOT_FOUND:
            return {}
        raise
    return {row["name"]: as_it_is(row) for row in rows}


async def _made(collection: Collection, change: _Change) -> None:
    if change.hidden:
        show = {"name": change.drop, "hidden": False}
        await collection.database.command({"collMod": collection.name, "index": show})
        return
    if change.guards:
        raise BackendError(
            f"the unique index {change.drop} of {collection.name} is not as regstack makes it, and while it "
            "is rebuilt duplicates could come in: stop the applications, drop it by hand, and install again"
        )
    if change.drop is not None:
        try:
            await collection.drop_index(change.drop)
        except OperationFailure as error:
            if error.code not in {_INDEX_NOT_FOUND, _NAMESPACE_NOT_FOUND}:
                raise
    if change.make is None:
        return
    refused: BaseException
    try:
        await collection.create_indexes([IndexModel(list(change.make.keys), **change.make.options())])
    except OperationFailure as error:
        if error.code in {_OPTIONS_CONFLICT, _KEYS_CONFLICT}:
            advice = "an index on the same fields with other options is in the way; drop it"
        elif error.code == _DUPLICATES:
            advice = "documents that it forbids are there already; remove the duplicates"
        else:
            raise
        refused = redacted(error)
    else:
        return
    raise BackendError(
        f"the index {change.make.name} of {collection.name} cannot be made: {advice}, then install again"
    ) from refused
