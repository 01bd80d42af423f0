"""Tokens that live on the account, and registrations that become one (USR-03, 07, 10, 11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from regstack.errors import UserAlreadyExistsError
from regstack.models.email_address import EmailAddress
from regstack.testing.contest import Call, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.models.user import User
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = pytest.mark.anyio
clause = pytest.mark.clause

HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)


@clause("USR-10", "USR-03", "USR-02", "users.put_reset_token")
async def test_a_reset_token_sets_the_password_once_and_ends_sessions(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(token_version=3))
    token = make.hash()
    expect(
        await backend.users.put_reset_token(user.id, token, clock.now() + HOUR), True, did="put_reset_token"
    )
    expect(await backend.users.reset_password(make.hash(), "guessed", clock.now()), None, did="another token")
    now = clock.now() + timedelta(minutes=1)
    wanted = replace(
        user,
        hashed_password="reset",  # noqa: S106 - not a password
        token_version=4,
        tokens_invalidated_after=now,
        updated_at=now,
    )
    expect(await backend.users.reset_password(token, "reset", now), wanted, did="reset_password")
    expect(
        await backend.users.reset_password(token, "again", now),
        None,
        did="reset_password with a token that was used",
        cause="the token is not dropped in the statement that it authorises",
    )
    expect(await backend.users.get_by_id(user.id), wanted, did="read it afterwards")


@clause("USR-10", "COM-06")
@pytest.mark.parametrize("milliseconds", [-1, 0, 1])
async def test_a_reset_token_works_until_the_instant_of_its_expiry(
    milliseconds: int, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user, token = await backend.users.create(make.user()), make.hash()
    expiry = clock.now() + HOUR
    await backend.users.put_reset_token(user.id, token, expiry)
    came = await backend.users.reset_password(token, "reset", expiry + milliseconds * MILLISECOND)
    expect(
        came is not None,
        milliseconds < 0,
        did=f"reset_password {milliseconds:+d} ms from the expiry",
        cause="`<` where `<=` belongs, or the clock was asked in place of `now`",
    )


@clause("USR-11", "COM-06")
@pytest.mark.parametrize("milliseconds", [-1, 0, 1])
async def test_an_email_change_works_until_the_instant_of_its_expiry(
    milliseconds: int, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user, token = await backend.users.create(make.user()), make.hash()
    expiry = clock.now() + HOUR
    await backend.users.put_email_change(user.id, token, make.email(), expiry)
    came = await backend.users.confirm_email_change(token, expiry + milliseconds * MILLISECOND)
    expect(
        came is not None,
        milliseconds < 0,
        did=f"confirm_email_change {milliseconds:+d} ms from the expiry",
        cause="`<` where `<=` belongs, or the clock was asked in place of `now`",
    )


@clause("USR-11", "USR-03", "USR-02", "users.put_email_change")
async def test_an_email_change_sets_the_address_once_and_ends_sessions(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user, token = await backend.users.create(make.user(token_version=3)), make.hash()
    email = make.email()
    put = await backend.users.put_email_change(user.id, token, email, clock.now() + HOUR)
    expect(put, True, did="put_email_change")
    expect(await backend.users.confirm_email_change(make.hash(), clock.now()), None, did="another token")
    now = clock.now() + timedelta(minutes=1)
    wanted = replace(
        user,
        email=email.address,
        email_key=email.key,
        is_verified=True,
        token_version=4,
        tokens_invalidated_after=now,
        updated_at=now,
    )
    expect(await backend.users.confirm_email_change(token, now), wanted, did="confirm_email_change")
    expect(await backend.users.confirm_email_change(token, now), None, did="confirmed it again")
    expect(await backend.users.get_by_email(email.key), wanted, did="looked for the new address")
    expect(await backend.users.get_by_email(user.email_key), None, did="looked for the old address")


@clause("USR-11")
async def test_an_address_can_change_its_spelling_under_the_same_key(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user, token = await backend.users.create(make.user()), make.hash()
    email = EmailAddress(user.email.upper(), user.email_key)
    await backend.users.put_email_change(user.id, token, email, clock.now() + HOUR)
    changed = await backend.users.confirm_email_change(token, clock.now())
    expect(
        changed and changed.email,
        email.address,
        did="changed an address to the same one in capitals",
        cause="the account is taken for its own rival",
    )


@clause("USR-11", "USR-01", "COM-04")
async def test_an_email_change_to_an_address_that_was_taken_meanwhile_changes_nothing(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user, token = await backend.users.create(make.user()), make.hash()
    email = make.email()
    await backend.users.put_email_change(user.id, token, email, clock.now() + HOUR)
    before = await backend.users.get_by_id(user.id)
    rival = await backend.users.create(make.user(email_key=email.key))
    for _ in range(2):
        with expect.raises(UserAlreadyExistsError, did="confirmed a change to an address that is taken"):
            await backend.users.confirm_email_change(token, clock.now())
        expect(await backend.users.get_by_id(user.id), before, did="read the account afterwards")
    expect(await backend.users.get_by_id(rival.id), rival, did="read the rival afterwards")


@clause("USR-03")
async def test_a_newer_token_replaces_the_older(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    expiry, now = clock.now() + HOUR, clock.now()
    older, newer = make.hash(), make.hash()
    for token in (older, newer):
        await backend.users.put_reset_token(user.id, token, expiry)
    expect(await backend.users.reset_password(older, "old", now), None, did="used the older reset token")
    expect(await backend.users.reset_password(newer, "new", now) is not None, True, did="used the newer one")
    first, second = make.email(), make.email()
    await backend.users.put_email_change(user.id, older, first, expiry)
    await backend.users.put_email_change(user.id, newer, second, expiry)
    expect(await backend.users.confirm_email_change(older, now), None, did="used the older email change")
    changed = await backend.users.confirm_email_change(newer, now)
    expect(changed and changed.email_key, second.key, did="used the newer email change")


DROPS: dict[str, Callable[[User, str, str], Call]] = {
    "users.set_password": lambda user, reset, change: call("users.set_password", user.id, "changed"),
    "users.invalidate_tokens": lambda user, reset, change: call("users.invalidate_tokens", user.id),
    "users.reset_password": lambda user, reset, change: call(
        "users.reset_password", reset, "changed", user.created_at
    ),
    "users.confirm_email_change": lambda user, reset, change: call(
        "users.confirm_email_change", change, user.created_at
    ),
    "users.delete": lambda user, reset, change: call("users.delete", user.id),
}


@clause("USR-03", "USR-10", "USR-11")
@pytest.mark.parametrize("change", DROPS.values(), ids=DROPS.keys())
async def test_a_change_of_password_or_address_drops_both_tokens(
    change: Callable[[User, str, str], Call],
    backend: Backend,
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    user = await backend.users.create(make.user())
    reset, email_change = make.hash(), make.hash()
    await backend.users.put_reset_token(user.id, reset, clock.now() + HOUR)
    await backend.users.put_email_change(user.id, email_change, make.email(), clock.now() + HOUR)
    one = change(user, reset, email_change)
    await one.make(backend)
    after = await backend.users.get_by_id(user.id)
    cause = "only the token that was used is dropped, or none"
    expect(
        await backend.users.reset_password(reset, "stolen", clock.now()),
        None,
        did=f"{one.operation}, then reset_password with a token from before",
        cause=cause,
    )
    expect(
        await backend.users.confirm_email_change(email_change, clock.now()),
        None,
        did=f"{one.operation}, then confirm_email_change with a token from before",
        cause=cause,
    )
    expect(await backend.users.get_by_id(user.id), after, did="read the account afterwards")


@clause("USR-03")
async def test_other_changes_keep_both_tokens(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    reset, email_change = make.hash(), make.hash()
    email = make.email()
    for token, used in ((reset, True), (email_change, False)):
        await backend.users.put_reset_token(user.id, reset, clock.now() + HOUR)
        await backend.users.put_email_change(user.id, email_change, email, clock.now() + HOUR)
        await backend.users.update_profile(user.id, full_name="Augusta")
        await backend.users.set_second_factor(user.id, None)
        await backend.users.record_login(user.id, clock.now())
        if used:
            came = await backend.users.reset_password(token, "changed", clock.now())
        else:
            came = await backend.users.confirm_email_change(token, clock.now())
        expect(came is not None, True, did="used a token after changes that are none of its business")


@clause("USR-10", "USR-02", "COM-08")
async def test_of_many_uses_of_a_reset_token_at_once_one_wins(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user, token = await backend.users.create(make.user()), make.hash()
        await backend.users.put_reset_token(user.id, token, clock.now() + HOUR)
        hashes = [f"hash {number}" for number in range(contest.size)]
        outcomes = await contest.run(
            [call("users.reset_password", token, hashed, clock.now()) for hashed in hashes]
        )
        expect(
            outcomes.tally(),
            {"User": 1, "None": contest.size - 1},
            did=f"used one reset token {contest.size} times at once",
            cause="the token is looked up before the statement that changes the password",
        )
        stored = await backend.users.get_by_id(user.id)
        expect(stored, outcomes.values()[0], did="read it afterwards")
        expect(stored and stored.token_version, 1, did="read its version afterwards")


@clause("USR-11", "USR-02", "COM-08")
async def test_of_many_uses_of_an_email_change_at_once_one_wins(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user, token = await backend.users.create(make.user()), make.hash()
        await backend.users.put_email_change(user.id, token, make.email(), clock.now() + HOUR)
        outcomes = await contest.repeat(call("users.confirm_email_change", token, clock.now()))
        expect(
            outcomes.tally(),
            {"User": 1, "None": contest.size - 1},
            did=f"used one email change {contest.size} times at once",
            cause="the token is looked up before the statement that changes the address",
        )
        expect(await backend.users.get_by_id(user.id), outcomes.values()[0], did="read it afterwards")


@clause("USR-11", "USR-01", "COM-08")
async def test_of_many_accounts_that_change_to_one_address_at_once_one_gets_it(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        email = make.email()
        calls = []
        for _ in range(contest.size // 2):
            user, token = await backend.users.create(make.user()), make.hash()
            await backend.users.put_email_change(user.id, token, email, clock.now() + HOUR)
            calls.append(call("users.confirm_email_change", token, clock.now()))
            calls.append(call("users.create", make.user(email_key=email.key)))
        outcomes = await contest.run(calls)
        expect(
            outcomes.tally(),
            {"User": 1, "UserAlreadyExistsError": contest.size - 1},
            did="half changed to an address at once, and half registered it",
            cause="the address is looked up before it is taken",
        )
        expect(await backend.users.get_by_email(email.key), outcomes.values()[0], did="read the winner")


@clause("USR-03", "USR-12")
async def test_disabling_an_account_drops_its_links_and_it_gets_no_new_ones(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    users, until = backend.users, clock.now() + timedelta(hours=1)
    reset, change, email = make.hash(), make.hash(), make.email()
    await users.put_reset_token(user.id, reset, until)
    await users.put_email_change(user.id, change, email, until)
    await users.set_flags(user.id, is_active=False)
    for active in (False, True):
        await users.set_flags(user.id, is_active=active)
        did = f"used a link from before the account was disabled (is_active={active})"
        expect(await users.reset_password(reset, make.password_hash(), clock.now()), None, did=did)
        expect(await users.confirm_email_change(change, clock.now()), None, did=did)
    await users.set_flags(user.id, is_active=False)
    expect(await users.put_reset_token(user.id, reset, until), False, did="stored a reset token")
    stored = await users.put_email_change(user.id, change, email, until)
    expect(stored, False, did="stored a change of address of a disabled account")


@clause("USR-09")
async def test_what_an_older_version_authorised_is_not_stored_or_deleted(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    await backend.users.invalidate_tokens(user.id)
    until, older = clock.now() + timedelta(hours=1), user.token_version
    stored = await backend.users.put_reset_token(user.id, make.hash(), until, token_version=older)
    expect(stored, False, did="stored a reset token that was asked for before sessions ended")
    deleted = await backend.users.delete(user.id, token_version=older)
    expect(deleted, False, did="deleted with a session that has ended")
    deleted = await backend.users.delete(user.id, token_version=older + 1)
    expect(deleted, True, did="deleted with the current version")
