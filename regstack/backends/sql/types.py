"""Column types that mean the same on every SQL server."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, DateTime, String, Uuid
from sqlalchemy.types import TypeDecorator

from regstack.models.ids import is_id
from regstack.models.instant import from_milliseconds, instant, to_milliseconds
from regstack.models.text import check_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

_NOBODY = "00000000-0000-0000-0000-000000000000"


class Text(TypeDecorator[str]):
    """Text exactly as written; NUL and lone surrogates are refused with `InvalidText`."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002, D102
        return None if value is None else check_text(value)


class Key(Text):
    """Text that is compared and sorted byte by byte, whatever the database's collation."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:  # noqa: D102
        return dialect.type_descriptor(String(collation="C" if dialect.name == "postgresql" else None))


class Id(TypeDecorator[str]):
    """An id of `regstack.models.ids`: a native UUID on PostgreSQL, text elsewhere.

    PostgreSQL would take other spellings of a UUID for the same value, so anything that is not
    an id becomes the nil UUID, which no row has.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:  # noqa: D102
        native = Uuid(as_uuid=False) if dialect.name == "postgresql" else String(36)
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: D102
        if value is None or dialect.name != "postgresql":
            return None if value is None else check_text(value)
        return value if is_id(value) else _NOBODY


class Instant(TypeDecorator[datetime]):
    """A point in time in UTC, cut down to milliseconds; a naive one is refused.

    `timestamptz` on PostgreSQL, an integer of milliseconds since 1970 elsewhere.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[int]:  # noqa: D102
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:  # noqa: D102
        if value is None:
            return None
        return instant(value) if dialect.name == "postgresql" else to_milliseconds(value)

    def process_result_value(self, value: datetime | int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102
        if value is None:
            return None
        return from_milliseconds(value) if isinstance(value, int) else instant(value)
