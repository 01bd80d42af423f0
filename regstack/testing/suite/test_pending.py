"""Registrations that wait for confirmation (PEN-01 to PEN-03)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from regstack.testing.contest import call

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = pytest.mark.anyio
clause = pytest.mark.clause

HOUR = timedelta(hours=1)


@clause("pending.put", "pending.find_by_email", "pending.find_by_token_hash", "pending.count_unexpired")
async def test_a_registration_is_found_by_its_address_and_by_its_token(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    one, other = make.pending(), make.pending(hashed_password=None, full_name=None)
    for pending in (one, other):
        await backend.pending.put(pending)
    for pending in (one, other):
        expect(await backend.pending.find_by_email(pending.email_key), pending, did="find_by_email")
        expect(await backend.pending.find_by_token_hash(pending.token_hash), pending, did="find_by_token")
    expect(await backend.pending.find_by_email("nobody@example.com"), None, did="an unknown address")
    expect(await backend.pending.find_by_token_hash(make.hash()), None, did="an unknown token")
    expect(await backend.pending.count_unexpired(), 2, did="count_unexpired")


@clause("PEN-01")
async def test_the_newest_registration_of_an_address_replaces_the_older_in_every_field(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    older = make.pending()
    clock.advance(timedelta(minutes=1))
    newer = make.pending(email_key=older.email_key, full_name=None, hashed_password="other")  # noqa: S106
    await backend.pending.put(older)
    await backend.pending.put(newer)
    cause = "the upsert leaves fields of the older row"
    expect(await backend.pending.find_by_email(older.email_key), newer, did="find_by_email", cause=cause)
    expect(await backend.pending.find_by_token_hash(older.token_hash), None, did="the older token")
    expect(await backend.pending.consume(older.token_hash, clock.now()), None, did="used the older token")
    expect(await backend.pending.consume(newer.token_hash, clock.now()), newer, did="used the newer one")


@clause("PEN-01", "COM-06")
async def test_a_registration_replaces_an_expired_one_that_was_not_swept(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    expired = make.pending(expires_at=clock.now() - HOUR)
    await backend.pending.put(expired)
    newer = make.pending(email_key=expired.email_key)
    await backend.pending.put(newer)
    expect(await backend.pending.find_by_email(newer.email_key), newer, did="registered once more")


@clause("PEN-01", "COM-08")
async def test_of_registrations_of_one_address_at_once_one_survives(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        before = await backend.pending.count_unexpired()
        key = make.email().key
        rivals = [make.pending(email_key=key) for _ in range(contest.size)]
        outcomes = await contest.run([call("pending.put", pending) for pending in rivals])
        expect(outcomes.tally(), {"None": contest.size}, did="registered one address many times at once")
        expect(await backend.pending.count_unexpired(), before + 1, did="counted afterwards")
        survivor = await backend.pending.find_by_email(key)
        found = [await backend.pending.find_by_token_hash(pending.token_hash) for pending in rivals]
        expect(
            [pending for pending in found if pending is not None],
            [survivor],
            did="looked for every token afterwards",
            cause="delete and insert are two steps, or fields of two rows were mixed",
        )
        expect(survivor in rivals, True, did="compared the survivor with what was registered")


@clause("PEN-02")
async def test_a_registration_can_get_a_new_token_and_expiry(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    pending, token = make.pending(), make.hash()
    await backend.pending.put(pending)
    expiry = clock.now() + 5 * HOUR
    rotated = await backend.pending.rotate(
        pending.token_hash, token_hash=token, expires_at=expiry, now=clock.now()
    )
    expect(rotated, True, did="rotate")
    wanted = replace(pending, token_hash=token, expires_at=expiry)
    expect(await backend.pending.find_by_email(pending.email_key), wanted, did="find_by_email")
    expect(await backend.pending.find_by_token_hash(pending.token_hash), None, did="the old token")
    again = await backend.pending.rotate(
        pending.token_hash, token_hash=make.hash(), expires_at=expiry, now=clock.now()
    )
    expect(again, False, did="rotated from a token that was replaced")
    expect(await backend.pending.consume(token, clock.now()), wanted, did="used the new token")
    again = await backend.pending.rotate(token, token_hash=make.hash(), expires_at=expiry, now=clock.now())
    expect(again, False, did="rotated from a token that was used")


@clause("PEN-02")
async def test_a_second_mail_never_brings_back_what_a_newer_registration_replaced(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    older = make.pending()
    newer = make.pending(email_key=older.email_key)
    await backend.pending.put(older)
    await backend.pending.put(newer)
    came = await backend.pending.rotate(
        older.token_hash, token_hash=make.hash(), expires_at=clock.now() + HOUR, now=clock.now()
    )
    expect(came, False, did="rotated a registration that was replaced", cause="rotate goes by the address")
    expect(await backend.pending.find_by_email(newer.email_key), newer, did="find_by_email")


@clause("PEN-02", "COM-08")
async def test_of_rotations_at_once_one_wins(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        pending = make.pending()
        await backend.pending.put(pending)
        tokens = [make.hash() for _ in range(contest.size)]
        outcomes = await contest.run(
            [
                call(
                    "pending.rotate",
                    pending.token_hash,
                    token_hash=token,
                    expires_at=clock.now() + HOUR,
                    now=clock.now(),
                )
                for token in tokens
            ]
        )
        expect(
            outcomes.tally(),
            {"True": 1, "False": contest.size - 1},
            did="rotated one registration many times at once",
            cause="the old token is looked up before the statement that replaces it",
        )
        won = next(token for token, one in zip(tokens, outcomes.all, strict=True) if one.value is True)
        wanted = replace(pending, token_hash=won)
        expect(await backend.pending.find_by_email(pending.email_key), wanted, did="find_by_email")


@clause("PEN-03")
async def test_a_registration_can_be_used_once_and_only_with_its_own_token(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    one, other = make.pending(), make.pending()
    for pending in (one, other):
        await backend.pending.put(pending)
    for wrong in (make.hash(), one.email_key, one.token_hash.upper(), one.token_hash[:-1], "", "%"):
        expect(await backend.pending.consume(wrong, clock.now()), None, did=f"consumed {wrong!r}")
    expect(await backend.pending.consume(one.token_hash, clock.now()), one, did="consumed it")
    expect(await backend.pending.consume(one.token_hash, clock.now()), None, did="consumed it again")
    expect(await backend.pending.find_by_email(one.email_key), None, did="looked for it")
    expect(await backend.pending.find_by_email(other.email_key), other, did="looked for the other one")


@clause("PEN-03", "COM-08")
async def test_of_many_uses_of_a_registration_at_once_one_wins(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        pending = make.pending()
        await backend.pending.put(pending)
        outcomes = await contest.repeat(call("pending.consume", pending.token_hash, clock.now()))
        expect(
            outcomes.tally(),
            {"PendingRegistration": 1, "None": contest.size - 1},
            did=f"consumed one registration {contest.size} times at once",
            cause="the row is read before it is deleted",
        )
        expect(outcomes.values(), [pending], did="looked at what the winner got")
        expect(await backend.pending.find_by_email(pending.email_key), None, did="looked for it afterwards")


@clause("pending.delete_by_email", "COM-06")
async def test_dropping_a_registration_says_whether_an_unexpired_one_was_there(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    pending, expired = make.pending(), make.pending(expires_at=clock.now())
    for each in (pending, expired):
        await backend.pending.put(each)
    drop = backend.pending.delete_by_email
    expect(await drop("nobody@example.com"), False, did="dropped the registration of nobody")
    expect(await drop(expired.email_key), False, did="dropped an expired one")
    expect(await drop(pending.email_key), True, did="dropped an unexpired one")
    expect(await drop(pending.email_key), False, did="dropped it again")
    expect(await backend.pending.find_by_token_hash(pending.token_hash), None, did="looked for it")
