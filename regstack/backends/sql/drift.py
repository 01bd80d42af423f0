"""What a database lacks of the tables that the statements expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint, inspect
from sqlalchemy.schema import ColumnCollectionConstraint

from regstack.models.finding import Finding, Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, Inspector

    from regstack.backends.sql.tables import Tables

_NAME = "schema objects"


def drift(connection: Connection, tables: Tables) -> Finding:
    """Compare tables, columns, constraints and indexes with what the newest revision made.

    Further ones are left alone: they may be the host's, or a newer revision's.
    """
    inspector = inspect(connection)
    there = set(inspector.get_table_names(schema=tables.schema))
    missing: list[str] = []
    for table in tables.metadata.sorted_tables:
        if table.name in there:
            missing.extend(_missing(inspector, table))
        else:
            missing.append(f"table {table.name}")
    if not missing:
        return Finding(_NAME, Health.OK, "all tables, columns, constraints and indexes are there")
    return Finding(
        _NAME,
        Health.FAILED,
        f"missing: {', '.join(missing)}",
        "Somebody changed the schema by hand: restore what is missing from a backup or from a new database "
        "made by `regstack migrate`.",
    )


def _missing(inspector: Inspector, table: Table) -> Iterator[str]:
    name, schema = table.name, table.schema
    columns = {column["name"] for column in inspector.get_columns(name, schema)}
    for column in table.columns:
        if column.name not in columns:
            yield f"column {name}.{column.name}"
    indexes = inspector.get_indexes(name, schema)
    unique = {frozenset(found["column_names"]) for found in inspector.get_unique_constraints(name, schema)}
    unique |= {frozenset(filter(None, found["column_names"])) for found in indexes if found["unique"]}
    owners = {
        (frozenset(found["constrained_columns"]), found["referred_table"])
        for found in inspector.get_foreign_keys(name, schema)
    }
    primary = inspector.get_pk_constraint(name, schema)["constrained_columns"]
    for constraint in sorted(table.constraints, key=lambda each: str(each.name)):
        if not isinstance(constraint, ColumnCollectionConstraint):
            continue
        of = frozenset(constraint.columns.keys())
        match constraint:
            case PrimaryKeyConstraint():
                there = of == frozenset(primary)
            case UniqueConstraint():
                there = of in unique
            case ForeignKeyConstraint():
                there = (of, constraint.referred_table.name) in owners
            case _:
                there = True
        if not there:
            yield f"constraint {constraint.name}"
    names = {found["name"] for found in indexes}
    wanted = sorted(str(index.name) for index in table.indexes)
    yield from (f"index {index}" for index in wanted if index not in names)
