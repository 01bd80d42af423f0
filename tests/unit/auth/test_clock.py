"""Clocks tell UTC in whole milliseconds, and a frozen one moves only when told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from regstack.auth.clock import FrozenClock, SystemClock
from regstack.errors import NaiveDatetime


def test_the_system_clock_tells_the_machines_time_in_utc() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    after = datetime.now(UTC)
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert before - timedelta(milliseconds=1) < now <= after


def test_a_frozen_clock_stands_still() -> None:
    clock = FrozenClock()
    assert clock.now() == clock.now()


def test_a_frozen_clock_starts_where_it_is_put_in_utc_and_whole_milliseconds() -> None:
    at = datetime(2030, 1, 1, 2, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=2)))
    assert FrozenClock(at=at).now() == datetime(2030, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)


def test_a_frozen_clock_moves_both_ways() -> None:
    clock = FrozenClock(at=datetime(2030, 1, 1, tzinfo=UTC))
    clock.advance(timedelta(days=1))
    assert clock.now() == datetime(2030, 1, 2, tzinfo=UTC)
    clock.advance(timedelta(days=-2))
    assert clock.now() == datetime(2029, 12, 31, tzinfo=UTC)


def test_a_frozen_clock_without_a_time_zone_is_refused() -> None:
    with pytest.raises(NaiveDatetime):
        FrozenClock(at=datetime(2030, 1, 1))


def test_two_frozen_clocks_are_independent() -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    one, other = FrozenClock(at=at), FrozenClock(at=at)
    one.advance(timedelta(seconds=1))
    assert other.now() == at
