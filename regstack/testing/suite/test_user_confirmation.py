"""Registrations and unverified accounts that confirm their address."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from regstack.errors import UserAlreadyExistsError
from regstack.models.user import User
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
MILLISECOND = timedelta(milliseconds=1)


@clause("USR-07")
async def test_a_registration_becomes_a_verified_account_under_its_own_id(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    pending = make.pending()
    await backend.pending.put(pending)
    expect(await backend.users.create_from_pending(make.hash(), clock.now()), None, did="another token")
    now = clock.now() + timedelta(minutes=1)
    wanted = User.new(
        id=pending.user_id,
        email=pending.email,
        email_key=pending.email_key,
        hashed_password=pending.hashed_password,
        full_name=pending.full_name,
        is_verified=True,
        now=now,
    )
    expect(await backend.users.create_from_pending(pending.token_hash, now), wanted, did="confirmed")
    expect(await backend.users.get_by_email(pending.email_key), wanted, did="read the account")
    expect(await backend.users.create_from_pending(pending.token_hash, now), None, did="confirmed again")
    expect(await backend.pending.count_unexpired(), 0, did="counted registrations")


@clause("USR-07", "PEN-01")
async def test_a_registration_that_was_replaced_cannot_become_an_account(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    older = make.pending()
    newer = make.pending(email_key=older.email_key)
    await backend.pending.put(older)
    await backend.pending.put(newer)
    expect(
        await backend.users.create_from_pending(older.token_hash, clock.now()),
        None,
        did="confirmed a registration that a newer one replaced",
        cause="somebody who registers an address first would own the account of who confirms it",
    )
    user = await backend.users.create_from_pending(newer.token_hash, clock.now())
    expect(user and user.hashed_password, newer.hashed_password, did="confirmed the newer one")


@clause("USR-07")
async def test_an_unverified_account_that_confirms_is_verified_and_its_sessions_end(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(is_verified=False))
    pending = make.pending(
        user_id=user.id, email=user.email, email_key=user.email_key, full_name="Eve", for_account=True
    )
    for _ in ("first", "repeat"):
        await backend.pending.put(pending)
        clock.advance(timedelta(minutes=1))
        came = await backend.users.create_from_pending(pending.token_hash, clock.now())
        stored = await backend.users.get_by_id(user.id)
        for seen in (came, stored):
            expect(
                seen and replace(seen, updated_at=user.updated_at, tokens_invalidated_after=None),
                replace(user, is_verified=True, token_version=user.token_version + 1),
                did="confirmed the address of an account that exists",
                cause="the account is overwritten with what the row says, or its sessions live on",
            )
    expect(await backend.pending.find_by_token_hash(pending.token_hash), None, did="looked for the row")


@clause("USR-07", "USR-05")
async def test_a_row_for_an_account_never_brings_a_deleted_one_back(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(is_verified=False))
    pending = make.pending(user_id=user.id, email=user.email, email_key=user.email_key, for_account=True)
    expect(await backend.users.delete(user.id), True, did="deleted the account")
    await backend.pending.put(pending)
    expect(
        await backend.users.create_from_pending(pending.token_hash, clock.now()),
        None,
        did="confirmed the address of an account that is gone",
        cause="its owner deleted it while a verification mail was on its way",
    )
    expect(await backend.users.get_by_id(user.id), None, did="looked for the account")


@clause("USR-07")
async def test_an_account_that_moved_to_another_address_is_not_verified_by_the_old_one(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    pending = make.pending(user_id=user.id)
    await backend.pending.put(pending)
    with expect.raises(UserAlreadyExistsError, did="confirmed an address that the account no longer has"):
        await backend.users.create_from_pending(pending.token_hash, clock.now())
    expect(await backend.users.get_by_id(user.id), user, did="read the account")
    expect(await backend.users.get_by_email(pending.email_key), None, did="looked for the old address")


@clause("USR-07", "USR-01")
async def test_a_registration_whose_address_was_taken_is_used_up_with_an_error(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    pending = make.pending()
    await backend.pending.put(pending)
    rival = await backend.users.create(make.user(email_key=pending.email_key))
    with expect.raises(UserAlreadyExistsError, did="confirmed a registration whose address is taken"):
        await backend.users.create_from_pending(pending.token_hash, clock.now())
    expect(
        await backend.pending.find_by_token_hash(pending.token_hash),
        None,
        did="looked for the registration afterwards",
        cause="the transaction that failed brought the row back",
    )
    expect(await backend.users.get_by_id(pending.user_id), None, did="looked for its account")
    expect(await backend.users.get_by_email(pending.email_key), rival, did="read the rival")


@clause("USR-07", "COM-08")
async def test_of_many_confirmations_at_once_one_makes_the_account(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        pending = make.pending()
        await backend.pending.put(pending)
        outcomes = await contest.repeat(call("users.create_from_pending", pending.token_hash, clock.now()))
        expect(
            outcomes.tally(),
            {"User": 1, "None": contest.size - 1},
            did=f"confirmed one registration {contest.size} times at once",
            cause="the registration is read before it is deleted",
        )
        expect(await backend.users.get_by_id(pending.user_id), outcomes.values()[0], did="read it")
        expect(await backend.pending.find_by_email(pending.email_key), None, did="looked for the row")


@clause("USR-07", "PEN-01", "PEN-02", "PEN-03", "COM-08")
async def test_a_registration_is_used_up_by_one_of_all_that_can_use_it(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        pending = make.pending()
        await backend.pending.put(pending)
        share = contest.size // 4
        again = [
            call(
                "pending.rotate",
                pending.token_hash,
                token_hash=make.hash(),
                expires_at=clock.now() + HOUR,
                now=clock.now(),
            )
            for _ in range(share)
        ]
        newer = [make.pending(email_key=pending.email_key) for _ in range(share)]
        outcomes = await contest.run(
            [call("users.create_from_pending", pending.token_hash, clock.now())] * share
            + [call("pending.consume", pending.token_hash, clock.now())] * share
            + again
            + [call("pending.put", row) for row in newer]
        )
        used = [value for value in outcomes.values() if value is not False]
        expect.that(
            len(used) <= 1,
            came=outcomes.tally(),
            wanted="at most one account, one registration or one True",
            did="confirmed, consumed, rotated and replaced one registration at once",
            cause="the old token is looked up before the statement that uses it",
        )
        expect(
            await backend.pending.find_by_token_hash(pending.token_hash),
            None,
            did="looked for the old token afterwards",
        )
        left = await backend.pending.find_by_email(pending.email_key)
        expect.that(
            left is not None and left.token_hash in {row.token_hash for row in newer},
            came=left,
            wanted="one of the newer registrations",
            did="looked for the registration of the address afterwards",
            cause="rotate brings back what a newer registration replaced, or consume took another's row",
        )
