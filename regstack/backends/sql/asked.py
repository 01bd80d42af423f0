"""A table of what several callers ask for, made of a statement's parameters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, String, bindparam, column, func, select
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql import FromClause
    from sqlalchemy.types import TypeEngine


def asked_of_arrays(types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """Make it of one array for each column; PostgreSQL knows them."""
    arrays = [bindparam(name, type_=ARRAY(type_)) for name, type_ in types.items()]
    columns = [column(name, type_) for name, type_ in types.items()]
    rows = func.unnest(*arrays).table_valued(*columns, with_ordinality="number", name="given")
    rows = rows.render_derived()
    return select((rows.c.number - 1).label("at"), *(rows.c[name] for name in types)).subquery("asked")


def asked_of_json(types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """Make it of one JSON array for each column; SQLite reads them."""
    first, *others = (bindparam(name, type_=_JsonArray(type_)) for name, type_ in types.items())
    rows = func.json_each(first).table_valued("key", "value", name="given")
    place = func.printf("$[%d]", rows.c.key)
    values = [rows.c.value, *(func.json_extract(other, place) for other in others)]
    columns = [value.label(name) for name, value in zip(types, values, strict=True)]
    return select(rows.c.key.label("at"), *columns).subquery("asked")


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
