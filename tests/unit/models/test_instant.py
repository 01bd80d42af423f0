"""Points in time: UTC, whole milliseconds, exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regstack.errors import NaiveDatetime
from regstack.models.instant import from_milliseconds, instant, to_milliseconds

# Away from the ends of the calendar, where a time zone would step over them.
aware = st.datetimes(
    min_value=datetime(1, 1, 3),
    max_value=datetime(9999, 12, 29),
    timezones=st.timezones() | st.just(UTC),
)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(NaiveDatetime, match="time zone"):
        instant(datetime(2030, 1, 1))


def test_microseconds_are_cut_and_never_rounded_up() -> None:
    assert instant(datetime(2030, 1, 1, 12, 0, 0, 999_999, tzinfo=UTC)).microsecond == 999_000


def test_another_time_zone_becomes_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert instant(datetime(2030, 1, 1, 9, tzinfo=tokyo)) == datetime(2030, 1, 1, tzinfo=UTC)
    assert instant(datetime(2030, 1, 1, 9, tzinfo=tokyo)).tzinfo is UTC


def test_the_epoch_is_zero_and_earlier_is_negative() -> None:
    assert to_milliseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert to_milliseconds(datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)) == -1


@given(aware)
def test_cutting_twice_is_cutting_once(value: datetime) -> None:
    assert instant(instant(value)) == instant(value)


@given(aware)
def test_cutting_moves_back_by_less_than_a_millisecond(value: datetime) -> None:
    assert timedelta(0) <= value - instant(value) < timedelta(milliseconds=1)


@given(aware)
def test_milliseconds_and_back_give_the_same_instant(value: datetime) -> None:
    assert from_milliseconds(to_milliseconds(value)) == instant(value)


@given(aware, aware)
def test_milliseconds_keep_the_order(one: datetime, other: datetime) -> None:
    assert (instant(one) < instant(other)) == (to_milliseconds(one) < to_milliseconds(other))
