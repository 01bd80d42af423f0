"""Points in time as storage keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from regstack.errors import NaiveDatetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def instant(value: datetime) -> datetime:
    """Give the same moment in UTC, cut down to whole milliseconds.

    Raises:
        NaiveDatetime: the value carries no time zone.
    """
    if value.tzinfo is UTC and value.microsecond % 1000 == 0:
        return value  # most are such moments already
    if value.tzinfo is None or value.utcoffset() is None:
        raise NaiveDatetime
    value = value.astimezone(UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def to_milliseconds(value: datetime) -> int:
    """Whole milliseconds since 1970-01-01 UTC; exact, since no float is involved."""
    return (instant(value) - _EPOCH) // _MILLISECOND


def from_milliseconds(value: int) -> datetime:
    """The UTC datetime of `to_milliseconds`."""
    return _EPOCH + value * _MILLISECOND
