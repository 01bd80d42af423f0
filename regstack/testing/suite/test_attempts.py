"""Counted attempts (ATT-01, ATT-02)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from regstack.models.attempt import AttemptDecision
from regstack.testing.contest import call

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = pytest.mark.anyio
clause = pytest.mark.clause

WINDOW = timedelta(minutes=15)
MILLISECOND = timedelta(milliseconds=1)


@clause("ATT-01", "ATT-02")
async def test_attempts_within_the_limit_are_allowed_and_then_refused_until_the_window_ends(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    key, opened = make.hash(), clock.now()
    for number in range(1, 7):
        now = opened + number * MILLISECOND - MILLISECOND
        came = await backend.attempts.claim(key, limit=3, window=WINDOW, now=now)
        if number <= 3:
            wanted = AttemptDecision(allowed=True, remaining=3 - number, retry_after=timedelta())
        else:
            wanted = AttemptDecision(allowed=False, remaining=0, retry_after=opened + WINDOW - now)
        expect(
            came,
            wanted,
            did=f"attempt {number} at limit 3",
            cause="the attempt itself is not counted, or a refused one extends the window",
        )


@clause("ATT-01", "ATT-02", "COM-06")
@pytest.mark.parametrize(("milliseconds", "allowed"), [(-1, False), (0, True), (1, True)])
async def test_a_new_window_opens_at_the_instant_at_which_the_old_one_ends(
    milliseconds: int,
    allowed: object,
    backend: Backend,
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    key, opened = make.hash(), clock.now()
    for _ in range(4):
        await backend.attempts.claim(key, limit=2, window=WINDOW, now=opened)
    end = opened + WINDOW + milliseconds * MILLISECOND
    came = await backend.attempts.claim(key, limit=2, window=WINDOW, now=end)
    expect(
        came.allowed,
        allowed,
        did=f"an attempt {milliseconds:+d} ms from the end of a window that is full",
        cause="`<` where `<=` belongs, or refused attempts extend the window",
    )
    if allowed:
        expect(came.remaining, 1, did="looked at what remains", cause="the old count is carried over")
        last = await backend.attempts.claim(key, limit=1, window=WINDOW, now=end)
        expect(last.retry_after, WINDOW, did="looked at the end of the new window")


@clause("ATT-01")
async def test_a_limit_of_nothing_refuses_and_keys_do_not_touch_each_other(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    now = clock.now()
    came = await backend.attempts.claim(make.hash(), limit=0, window=WINDOW, now=now)
    expect(came, AttemptDecision(allowed=False, remaining=0, retry_after=WINDOW), did="claimed at limit 0")
    long = "k" * 128
    for key in (make.hash(), make.hash(), long):
        came = await backend.attempts.claim(key, limit=1, window=WINDOW, now=now)
        expect(came.allowed, True, did=f"the first attempt of the key {key!r}")


@clause("ATT-01", "ATT-02")
async def test_a_clock_that_goes_back_gives_no_new_attempts(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    key, opened = make.hash(), clock.now()
    for _ in range(2):
        await backend.attempts.claim(key, limit=2, window=WINDOW, now=opened)
    earlier = opened - timedelta(minutes=1)
    came = await backend.attempts.claim(key, limit=2, window=WINDOW, now=earlier)
    expect(
        came,
        AttemptDecision(allowed=False, remaining=0, retry_after=WINDOW + timedelta(minutes=1)),
        did="claimed by a clock that is a minute behind",
        cause="a window that opened in the future is taken for none",
    )


@clause("ATT-01", "COM-08", "COM-04")
async def test_of_many_attempts_at_once_exactly_the_limit_is_allowed(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for limit in range(5, 5 + contest.rounds):
        key = make.hash()
        one = call("attempts.claim", key, limit=limit, window=WINDOW, now=clock.now())
        outcomes = await contest.repeat(one)
        decisions: list[AttemptDecision] = outcomes.values()
        expect(
            sum(decision.allowed for decision in decisions),
            limit,
            did=f"{contest.size} attempts at once with limit {limit}; outcomes: {outcomes.tally()}",
            cause="the count is read, raised in Python and written back, or first attempts collide",
        )
        expect(
            sorted(decision.remaining for decision in decisions if decision.allowed),
            list(range(limit)),
            did="compared what remained after each",
        )
        expect(
            await backend.attempts.count_recent(key, WINDOW, clock.now()),
            contest.size,
            did="counted afterwards",
            cause="an increment was lost",
        )


@clause("ATT-01", "COM-08")
async def test_attempts_at_once_after_a_window_ended_share_one_new_window(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        key = make.hash()
        for _ in range(10):
            await backend.attempts.claim(key, limit=5, window=WINDOW, now=clock.now())
        later = clock.now() + WINDOW
        outcomes = await contest.repeat(call("attempts.claim", key, limit=5, window=WINDOW, now=later))
        expect(
            sum(decision.allowed for decision in outcomes.values()),
            5,
            did=f"{contest.size} attempts at once on a window that is over",
            cause="each of them resets the window",
        )
        count = await backend.attempts.count_recent(key, WINDOW, later)
        expect(count, contest.size, did="counted afterwards")


@clause("attempts.record_failure", "COM-08")
async def test_recorded_failures_count_like_claims_and_none_is_lost(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    key, now = make.hash(), clock.now()
    expect(
        await backend.attempts.record_failure(key, window=WINDOW, now=now),
        1,
        did="recorded the first failure",
    )
    came = await backend.attempts.claim(key, limit=5, window=WINDOW, now=now)
    expect(came.remaining, 3, did="claimed after one recorded failure")
    outcomes = await contest.repeat(call("attempts.record_failure", key, window=WINDOW, now=now))
    expect(
        sorted(outcomes.values()),
        list(range(3, contest.size + 3)),
        did=f"recorded {contest.size} failures at once, and compared the counts",
        cause="the count is read, raised in Python and written back",
    )
    later = now + WINDOW
    count = await backend.attempts.record_failure(key, window=WINDOW, now=later)
    expect(count, 1, did="recorded a failure in a later window", cause="the old count is carried over")


@clause("attempts.count_recent", "COM-06")
async def test_counting_adds_nothing_and_ends_with_the_window(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    key, now = make.hash(), clock.now()
    expect(await backend.attempts.count_recent(key, WINDOW, now), 0, did="counted before any attempt")
    for _ in range(3):
        await backend.attempts.record_failure(key, window=WINDOW, now=now)
    cases = [
        (WINDOW, WINDOW - MILLISECOND, 3),
        (WINDOW, WINDOW, 0),
        (WINDOW * 2, WINDOW, 0),
        (WINDOW / 3, WINDOW / 3 - MILLISECOND, 3),
        (WINDOW / 3, WINDOW / 3, 0),
    ]
    for window, age, wanted in cases:
        for _ in range(2):
            came = await backend.attempts.count_recent(key, window, now + age)
            expect(came, wanted, did=f"counted within {window}, {age} after a window of {WINDOW} opened")


@clause("ATT-03")
async def test_clearing_forgets_the_attempts_of_one_key(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    key, other, now = make.hash(), make.hash(), clock.now()
    for each in (key, other):
        await backend.attempts.record_failure(each, window=WINDOW, now=now)
    expect(await backend.attempts.clear(make.hash()), False, did="cleared a key without attempts")
    expect(await backend.attempts.clear(key), True, did="cleared a key")
    expect(await backend.attempts.clear(key), False, did="cleared it again")
    expect(await backend.attempts.count_recent(key, WINDOW, now), 0, did="counted it")
    expect(await backend.attempts.count_recent(other, WINDOW, now), 1, did="counted the other one")
    came = await backend.attempts.claim(key, limit=1, window=WINDOW, now=now + MILLISECOND)
    expect(came.allowed, True, did="claimed after clearing")


@clause("ATT-03", "COM-06")
async def test_a_count_above_the_given_one_is_not_cleared(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    key, now = make.hash(), clock.now()
    expect(await backend.attempts.clear(key, at_most=5), False, did="cleared a key without attempts")
    for _ in range(3):
        await backend.attempts.record_failure(key, window=WINDOW, now=now)
    for most in (0, 2):
        expect(
            await backend.attempts.clear(key, at_most=most),
            False,
            did=f"cleared a count of 3, at most {most}",
        )
        expect(await backend.attempts.count_recent(key, WINDOW, now), 3, did="counted it")
    expect(await backend.attempts.clear(key, at_most=3), True, did="cleared a count of 3, at most 3")
    expect(await backend.attempts.count_recent(key, WINDOW, now), 0, did="counted it")
    await backend.attempts.record_failure(key, window=WINDOW, now=now)
    clock.advance(WINDOW)
    expect(await backend.attempts.clear(key, at_most=3), False, did="cleared a window that is over")


@clause("ATT-03", "COM-08")
async def test_no_more_than_the_given_count_is_lost_to_a_clearing_at_the_same_time(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    now = clock.now()
    for _ in range(contest.rounds):
        keys = [make.hash() for _ in range(contest.size // 4)]
        counting = [call("attempts.record_failure", key, window=WINDOW, now=now) for key in keys]
        clearing = [call("attempts.clear", key, at_most=2) for key in keys]
        for one in counting:
            await one.make(backend)
        outcomes = await contest.run([*clearing, *counting * 3])
        for key, cleared in zip(keys, outcomes.all, strict=False):
            lost = 4 - await backend.attempts.count_recent(key, WINDOW, now)
            expect.that(
                1 <= lost <= 2 if cleared.value else lost == 0,
                came=lost,
                wanted="1 or 2 lost where it was cleared, otherwise none",
                did=f"added 3 attempts to one while it was cleared, at most 2: {cleared.name}; counted",
                cause="the count is read first, and the row is deleted whatever has been added since",
            )
