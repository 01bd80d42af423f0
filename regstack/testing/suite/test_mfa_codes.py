"""One-time codes (MFA-01, MFA-02)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from regstack.backends.base import Capability
from regstack.models.mfa_code import MfaKind, MfaOutcome, MfaVerifyResult
from regstack.testing.contest import call

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = [pytest.mark.anyio, pytest.mark.needs(Capability.MFA_CODES)]
clause = pytest.mark.clause

HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)
MISSING, LOCKED = MfaVerifyResult(MfaOutcome.MISSING), MfaVerifyResult(MfaOutcome.LOCKED)


@clause("MFA-01", "COM-10")
async def test_the_right_code_is_good_once_and_says_what_it_proves(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    code = make.code(user.id)
    expect(await backend.mfa_codes.put(code), True, did="put")
    came = await backend.mfa_codes.verify(user.id, code.kind, code.code_hash, clock.now())
    expect(came, MfaVerifyResult(MfaOutcome.OK, target=code.target), did="presented the right code")
    came = await backend.mfa_codes.verify(user.id, code.kind, code.code_hash, clock.now())
    expect(came, MISSING, did="presented it again", cause="the row is not used up with the comparison")
    expect(await backend.mfa_codes.find(user.id, code.kind), None, did="looked for it")


@clause("MFA-01", "MFA-02", "mfa_codes.find")
async def test_each_wrong_guess_is_paid_and_the_code_locks_even_for_the_right_one(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    code = make.code(user.id, max_attempts=3)
    await backend.mfa_codes.put(code)
    for number in range(1, 4):
        came = await backend.mfa_codes.verify(user.id, code.kind, make.hash(), clock.now())
        wanted = MfaVerifyResult(MfaOutcome.WRONG, attempts_remaining=3 - number)
        expect(came, wanted, did=f"wrong guess {number} of 3", cause="the guess is paid after it is compared")
        found = await backend.mfa_codes.find(user.id, code.kind)
        expect(found, replace(code, attempts=number), did="read the code afterwards")
    for guess in (make.hash(), code.code_hash, code.code_hash):
        came = await backend.mfa_codes.verify(user.id, code.kind, guess, clock.now())
        expect(came, LOCKED, did="guessed once more, then presented the right code twice")
    expect(await backend.mfa_codes.find(user.id, code.kind) is not None, True, did="looked for the row")


@clause("MFA-01")
async def test_the_right_code_is_good_at_the_last_guess(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    code = make.code(user.id, max_attempts=2)
    await backend.mfa_codes.put(code)
    await backend.mfa_codes.verify(user.id, code.kind, make.hash(), clock.now())
    came = await backend.mfa_codes.verify(user.id, code.kind, code.code_hash, clock.now())
    expect(came.outcome, MfaOutcome.OK, did="presented the right code at the last guess allowed")


@clause("MFA-02", "COM-06")
async def test_an_expired_code_is_not_compared_whatever_its_state(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    for attempts in (0, 5):
        code = make.code(user.id, attempts=attempts)
        await backend.mfa_codes.put(code)
        for guess in (code.code_hash, make.hash()):
            came = await backend.mfa_codes.verify(user.id, code.kind, guess, code.expires_at)
            expect.that(
                came in {MfaVerifyResult(MfaOutcome.EXPIRED), MISSING},
                came=came,
                wanted="EXPIRED or MISSING, with nothing remaining and no target",
                did=f"presented a code that has just expired, after {attempts} guesses",
            )


@clause("mfa_codes.put")
async def test_a_newer_code_replaces_the_older_with_all_its_guesses(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    older = make.code(user.id, max_attempts=1)
    newer = make.code(user.id, max_attempts=4, target=None)
    await backend.mfa_codes.put(older)
    await backend.mfa_codes.verify(user.id, older.kind, make.hash(), clock.now())
    expect(await backend.mfa_codes.put(newer), True, did="put a newer code over a locked one")
    expect(await backend.mfa_codes.find(user.id, newer.kind), newer, did="find")
    came = await backend.mfa_codes.verify(user.id, older.kind, older.code_hash, clock.now())
    expect(came, MfaVerifyResult(MfaOutcome.WRONG, 3), did="presented the older code")
    came = await backend.mfa_codes.verify(user.id, newer.kind, newer.code_hash, clock.now())
    expect(came, MfaVerifyResult(MfaOutcome.OK), did="presented the newer code, which has no target")


@clause("mfa_codes.put", "mfa_codes.delete")
async def test_codes_of_different_kinds_and_users_do_not_touch_each_other(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    one, other = await backend.users.create(make.user()), await backend.users.create(make.user())
    codes = [make.code(user.id, kind=kind) for user in (one, other) for kind in MfaKind]
    for code in codes:
        await backend.mfa_codes.put(code)
    for code in codes:
        expect(await backend.mfa_codes.find(code.user_id, code.kind), code, did="find")
    first, *rest = codes
    for code in rest:
        came = await backend.mfa_codes.verify(first.user_id, first.kind, code.code_hash, clock.now())
        expect(came.outcome, MfaOutcome.WRONG, did="presented the code of another user or kind")
    delete = backend.mfa_codes.delete
    expect(await delete(first.user_id, first.kind), True, did="dropped one code")
    expect(await delete(first.user_id, first.kind), False, did="dropped it again")
    for code in rest:
        expect(await backend.mfa_codes.find(code.user_id, code.kind), code, did="looked for the others")


@clause("mfa_codes.delete", "COM-06")
async def test_dropping_an_expired_code_finds_none(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    code = make.code(user.id)
    await backend.mfa_codes.put(code)
    clock.advance(HOUR)
    expect(await backend.mfa_codes.delete(user.id, code.kind), False, did="dropped an expired code")


@clause("MFA-01", "COM-08", "COM-04")
async def test_of_the_right_code_presented_many_times_at_once_one_is_good(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    for _ in range(contest.rounds):
        code = make.code(user.id, max_attempts=contest.size)
        await backend.mfa_codes.put(code)
        one = call("mfa_codes.verify", user.id, code.kind, code.code_hash, clock.now())
        outcomes = await contest.repeat(one)
        expect(
            Counter(result.outcome for result in outcomes.values()),
            Counter({MfaOutcome.OK: 1, MfaOutcome.MISSING: contest.size - 1}),
            did=f"presented the right code {contest.size} times at once",
            cause="the code is compared before the statement that uses it up",
        )


@clause("MFA-01", "MFA-02", "COM-08")
async def test_of_many_wrong_guesses_at_once_no_more_are_compared_than_allowed(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    for _ in range(contest.rounds):
        code = make.code(user.id, max_attempts=5)
        await backend.mfa_codes.put(code)
        guesses = [make.hash() for _ in range(contest.size)]
        outcomes = await contest.run(
            [call("mfa_codes.verify", user.id, code.kind, guess, clock.now()) for guess in guesses]
        )
        results: list[MfaVerifyResult] = outcomes.values()
        expect(
            Counter(result.outcome for result in results),
            Counter({MfaOutcome.WRONG: 5, MfaOutcome.LOCKED: contest.size - 5}),
            did=f"{contest.size} wrong guesses at once, five allowed",
            cause="the guess is paid after it is compared",
        )
        remaining = sorted(each.attempts_remaining for each in results if each.outcome is MfaOutcome.WRONG)
        expect(remaining, list(range(5)), did="compared what remained after each")
        came = await backend.mfa_codes.verify(user.id, code.kind, code.code_hash, clock.now())
        expect(came, LOCKED, did="presented the right code afterwards")


@clause("MFA-01", "COM-08")
async def test_a_code_among_wrong_guesses_at_once_is_good_at_most_once_and_within_the_limit(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    for _ in range(contest.rounds * 2):
        code = make.code(user.id, max_attempts=5)
        await backend.mfa_codes.put(code)
        guesses = [code.code_hash] * (contest.size // 4)
        guesses += [make.hash() for _ in range(contest.size - len(guesses))]
        outcomes = await contest.run(
            [call("mfa_codes.verify", user.id, code.kind, guess, clock.now()) for guess in guesses]
        )
        tally = Counter(result.outcome for result in outcomes.values())
        good, wrong = tally[MfaOutcome.OK], tally[MfaOutcome.WRONG]
        expect.that(
            good <= 1 and good + wrong <= 5 and (good == 1 or wrong == 5),
            came=dict(tally),
            wanted="the right code once within five comparisons, or five wrong guesses",
            did="a quarter right, the rest wrong guesses, all at once",
        )
        found = await backend.mfa_codes.find(user.id, code.kind)
        expect(found is None, good == 1, did="looked whether the code is used up")


@clause("mfa_codes.put", "COM-08", "COM-04")
async def test_of_codes_put_at_once_one_survives(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user = await backend.users.create(make.user())
        codes = [make.code(user.id) for _ in range(contest.size)]
        outcomes = await contest.run([call("mfa_codes.put", code) for code in codes])
        expect(outcomes.tally(), {"True": contest.size}, did="put many codes of one user at once")
        survivor = await backend.mfa_codes.find(user.id, codes[0].kind)
        expect(survivor in codes, True, did="looked for the survivor", cause="fields of two codes are mixed")
