"""Identifiers: UUIDv7 from the clock's time, in one spelling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest

from regstack.auth.clock import FrozenClock
from regstack.models.ids import is_id, new_id
from regstack.models.instant import to_milliseconds

START = datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def test_an_id_carries_the_clocks_time() -> None:
    assert UUID(new_id(FrozenClock(START))).int >> 80 == to_milliseconds(START)


def test_an_id_is_a_uuid_of_version_7_in_its_canonical_spelling() -> None:
    value = new_id(FrozenClock(START))
    assert str(UUID(value)) == value
    assert UUID(value).version == 7
    assert UUID(value).variant == RFC_4122
    assert is_id(value)


def test_ids_sort_by_the_clocks_time_as_text() -> None:
    clock = FrozenClock(START)
    ids = []
    for _ in range(100):
        ids.append(new_id(clock))
        clock.advance(timedelta(milliseconds=1))
    assert ids == sorted(ids)


def test_a_clock_that_was_set_back_gives_earlier_ids() -> None:
    clock = FrozenClock(START)
    later = new_id(clock)
    clock.advance(timedelta(days=-1))
    assert new_id(clock) < later


def test_ids_of_one_instant_differ() -> None:
    clock = FrozenClock(START)
    assert len({new_id(clock) for _ in range(1000)}) == 1000


def test_two_clocks_do_not_disturb_each_other() -> None:
    early, late = FrozenClock(START), FrozenClock(START + timedelta(days=365))
    new_id(late)
    assert UUID(new_id(early)).int >> 80 == to_milliseconds(START)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0193F3A0-0000-7000-8000-000000000000",
        "0193f3a0000070008000000000000000",
        "{0193f3a0-0000-7000-8000-000000000000}",
        "0193f3a0-0000-4000-8000-000000000000",
        "0193f3a0-0000-7000-7000-000000000000",
        "0193f3a0-0000-7000-8000-000000000000\n",
        " 0193f3a0-0000-7000-8000-000000000000",
        "٠193f3a0-0000-7000-8000-000000000000",
    ],
)
def test_any_other_spelling_is_no_id(value: str) -> None:
    assert not is_id(value)
