"""What servers of SQL say each in its own way."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import ARRAY, String, any_, bindparam, column, delete, func, literal_column, select
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Column, Table
    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql import ColumnElement, Delete, FromClause, Select
    from sqlalchemy.types import TypeEngine

    ConflictInsert: TypeAlias = Insert
    """PostgreSQL's and SQLite's INSERT have the same methods."""


class Idiom(ABC):
    """Writes what statements of the repositories have no common words for; an executor has one.

    A dialect of SQLAlchemy is imported where it is used: one that is not needed costs a tenth of what
    starting a process costs.
    """

    @abstractmethod
    def insert(self, table: Table) -> ConflictInsert:
        """Start an INSERT that knows ON CONFLICT."""

    @abstractmethod
    def keys(self, **columns: Column[Any]) -> FromClause:
        """Make a table of the keys that several callers ask for, for a statement that answers them together.

        It has a column under each name, of the same type as the column that is given, and `at`,
        which counts the rows from 0. The statement takes a list under each name, all of one length.
        """

    @abstractmethod
    def delete_expired(self, table: Table) -> Delete:
        """Make the DELETE of the `batch` rows whose `expires_at` is oldest, and not after `until`.

        Rows that somebody else has locked are left out, where the server locks rows.
        """


class SqliteIdiom(Idiom):
    """SQLite's."""

    def insert(self, table: Table) -> ConflictInsert:  # noqa: D102
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415

        return insert(table)  # type: ignore[return-value]

    def keys(self, **columns: Column[Any]) -> FromClause:
        """Make it of one JSON array for each column."""
        first, *others = (bindparam(name, type_=_JsonArray(each.type)) for name, each in columns.items())
        rows = func.json_each(first).table_valued("key", "value", name="given")
        place = func.printf("$[%d]", rows.c.key)
        values = [rows.c.value, *(func.json_extract(other, place) for other in others)]
        named = [value.label(name) for name, value in zip(columns, values, strict=True)]
        return select(rows.c.key.label("at"), *named).subquery("keys")

    def delete_expired(self, table: Table) -> Delete:  # noqa: D102
        place: ColumnElement[Any] = literal_column("rowid")
        return delete(table).where(place.in_(_oldest(table, place)), _expired(table))


class PostgresIdiom(Idiom):
    """PostgreSQL's."""

    def insert(self, table: Table) -> ConflictInsert:  # noqa: D102
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415

        return insert(table)

    def keys(self, **columns: Column[Any]) -> FromClause:
        """Make it of one array for each column."""
        arrays = [bindparam(name, type_=ARRAY(each.type)) for name, each in columns.items()]
        named = [column(name, each.type) for name, each in columns.items()]
        rows = func.unnest(*arrays).table_valued(*named, with_ordinality="number", name="given")
        rows = rows.render_derived()
        return select((rows.c.number - 1).label("at"), *(rows.c[name] for name in columns)).subquery("keys")

    def delete_expired(self, table: Table) -> Delete:
        """Name the rows by their places, as an array.

        Whatever PostgreSQL thinks of the batch, it fetches these rows, and would read the whole table
        to join their keys. An array is made once; a subquery may run again, and then it locks further
        rows.
        """
        place: ColumnElement[Any] = literal_column("ctid")
        oldest = _oldest(table, place).with_for_update(skip_locked=True)
        return delete(table).where(place == any_(func.array(oldest.scalar_subquery())), _expired(table))


def _expired(table: Table) -> ColumnElement[bool]:
    return table.c.expires_at <= bindparam("until", type_=table.c.expires_at.type)


def _oldest(table: Table, place: ColumnElement[Any]) -> Select[Any]:
    oldest = select(place).select_from(table).where(_expired(table))
    return oldest.order_by(table.c.expires_at).limit(bindparam("batch"))


class _JsonArray(TypeDecorator[list[str]]):
    """A list of texts, each bound as a value of the item's type would be."""

    impl = String
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def bind_processor(self, dialect: Dialect) -> Any:
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        return lambda values: json.dumps([process(value) if process else value for value in values])
