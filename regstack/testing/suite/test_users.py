"""Accounts: making, finding and changing them (USR-01, 02, 06, 08, 09, 12, 14)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from regstack.errors import UserAlreadyExistsError
from regstack.models.user import LoginSubject, TokenSubject
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
clause, needs = pytest.mark.clause, pytest.mark.needs

HOUR = timedelta(hours=1)


@clause("users.create", "users.get_by_id", "users.get_by_email", "COM-03")
async def test_an_account_is_found_as_it_was_made(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    await backend.users.create(make.user())
    user = make.user(
        phone_number="+41446681800",
        is_active=False,
        is_verified=True,
        is_superuser=True,
        is_mfa_enabled=True,
        token_version=7,
        hashed_password=None,
    )
    expect(await backend.users.create(user), user, did="created an account with every field set")
    expect(await backend.users.get_by_id(user.id), user, did="read it by id")
    expect(await backend.users.get_by_email(user.email_key), user, did="read it by email key")
    expect(await backend.users.get_by_email("nobody@example.com"), None, did="looked for an unknown key")


@clause("USR-01")
async def test_a_second_account_with_the_same_key_is_refused(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    with expect.raises(UserAlreadyExistsError, did="created another account with the same key"):
        await backend.users.create(make.user(email_key=user.email_key))
    expect(await backend.users.get_by_email(user.email_key), user, did="read the first one afterwards")
    expect(await backend.users.count(), 1, did="counted")


@clause("USR-01", "COM-08", "COM-04")
async def test_of_many_accounts_for_one_address_at_once_one_is_made(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        before = await backend.users.count()
        key = make.email().key
        users = [make.user(email_key=key) for _ in range(contest.size)]
        outcomes = await contest.run([call("users.create", user) for user in users])
        expect(
            outcomes.tally(),
            {"User": 1, "UserAlreadyExistsError": contest.size - 1},
            did=f"created {contest.size} accounts with one key at once",
            cause="the key is looked up before it is inserted; a unique index must decide",
        )
        expect(await backend.users.count(), before + 1, did="counted accounts afterwards")
        expect(await backend.users.get_by_email(key), outcomes.values()[0], did="read the winner")


@clause("USR-08")
async def test_an_address_stands_for_an_account_or_a_pending_registration_or_nothing(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    pending = make.pending()
    await backend.pending.put(pending)
    came = await backend.users.find_login_subject(pending.email_key)
    expect(came, LoginSubject(user=None, pending=pending), did="an address that is pending")
    user = await backend.users.create(make.user(email_key=pending.email_key))
    came = await backend.users.find_login_subject(pending.email_key)
    expect(
        came,
        LoginSubject(user=user, pending=None),
        did="an address that has an account and is pending too",
        cause="both are answered; the account hides the registration",
    )
    came = await backend.users.find_login_subject("nobody@example.com")
    expect(came, LoginSubject(user=None, pending=None), did="an address that is unknown")


@clause("users.get_token_subject")
async def test_a_token_speaks_for_its_account_and_is_revoked_by_its_own_id_only(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user, other = await backend.users.create(make.user()), await backend.users.create(make.user())
    jti = make.id()
    await backend.blacklist.revoke(jti, clock.now() + HOUR)
    for owner, token, revoked in ((user, jti, True), (user, make.id(), False), (other, make.id(), False)):
        subject = await backend.users.get_token_subject(owner.id, jti=token, sid="ignored")
        expect(subject and subject.user, owner, did="read the account of a token")
        expect(subject and subject.revoked, revoked, did="asked whether that token is revoked")


@clause("users.get_token_subject", "USR-14")
async def test_tokens_that_are_looked_up_at_once_do_not_feel_each_other(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    users = [await backend.users.create(make.user()) for _ in range(5)]
    revoked = make.id()
    await backend.blacklist.revoke(revoked, clock.now() + HOUR)
    asked = [(user, jti) for user in users for jti in (make.id(), revoked)] + [(make.user(), make.id())] * 2
    right = [TokenSubject(user, jti == revoked) if user in users else None for user, jti in asked]
    for cancelled in range(len(asked)):
        lookups = [
            asyncio.create_task(backend.users.get_token_subject(user.id, jti=jti)) for user, jti in asked
        ]
        for _ in range(cancelled % 4):
            await asyncio.sleep(0)
        lookups[cancelled].cancel()
        came = await asyncio.gather(*lookups, return_exceptions=True)
        expect(
            came[:cancelled] + came[cancelled + 1 :],
            right[:cancelled] + right[cancelled + 1 :],
            did=f"looked up {len(asked)} tokens at once and cancelled the one at {cancelled}",
            cause="answers of lookups that share a round trip are mixed up, or share its cancellation",
        )


@clause("users.get_token_subject", "USR-14")
async def test_a_lookup_does_not_take_the_answer_of_one_that_began_before_a_revocation(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    for turns in range(8):
        jti = make.id()
        before = asyncio.create_task(backend.users.get_token_subject(user.id, jti=jti))
        for _ in range(turns):
            await asyncio.sleep(0)
        await backend.blacklist.revoke(jti, clock.now() + HOUR)
        came = await backend.users.get_token_subject(user.id, jti=jti)
        expect(
            came,
            TokenSubject(user, revoked=True),
            did="looked up a token after its revocation, while an older lookup was under way",
            cause="lookups share a read that was sent already",
        )
        await before


@clause("users.record_login", "USR-06")
async def test_the_last_login_never_moves_back_and_is_no_change_of_the_account(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    late, early = clock.now() + 2 * HOUR, clock.now() + HOUR
    clock.advance(3 * HOUR)
    for when in (late, early):
        expect(await backend.users.record_login(user.id, when), True, did=f"recorded a login at {when}")
        expect(
            await backend.users.get_by_id(user.id),
            replace(user, last_login=late),
            did="recorded a late login, then an earlier one",
            cause="`last_login` is overwritten, or `updated_at` is touched",
        )


@clause("users.record_login", "COM-08")
async def test_of_logins_at_once_the_latest_is_kept(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    times = [clock.now() + timedelta(minutes=minute) for minute in range(contest.size)]
    await contest.run([call("users.record_login", user.id, when) for when in times])
    stored = await backend.users.get_by_id(user.id)
    expect(stored and stored.last_login, times[-1], did="recorded many logins at once", cause="lost update")


@clause("users.rehash_password", "USR-06", "USR-02")
async def test_a_rehash_replaces_the_hash_that_it_was_made_from_and_nothing_else(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(hashed_password="old"))  # noqa: S106 - not a password
    clock.advance(HOUR)
    expect(
        await backend.users.rehash_password(user.id, old_hash="other", new_hash="new"),
        False,
        did="rehashed from a hash that is not stored",
    )
    expect(await backend.users.get_by_id(user.id), user, did="read it afterwards")
    expect(
        await backend.users.rehash_password(user.id, old_hash="old", new_hash="new"),
        True,
        did="rehashed from the hash that is stored",
    )
    expect(
        await backend.users.get_by_id(user.id),
        replace(user, hashed_password="new"),  # noqa: S106 - not a password
        did="read it afterwards",
        cause="sessions were ended, or `updated_at` was touched",
    )


CHANGES: dict[str, tuple[Callable[[str], Call], dict[str, Any]]] = {
    "users.update_profile": (
        lambda key: call("users.update_profile", key, full_name="Augusta"),
        {"full_name": "Augusta"},
    ),
    "users.update_profile to none": (
        lambda key: call("users.update_profile", key, full_name=None),
        {"full_name": None},
    ),
    "users.set_second_factor": (
        lambda key: call("users.set_second_factor", key, "+41446681801", token_version=3),
        {"phone_number": "+41446681801", "is_mfa_enabled": True},
    ),
    "users.set_second_factor to none": (
        lambda key: call("users.set_second_factor", key, None),
        {"phone_number": None, "is_mfa_enabled": False},
    ),
    "users.set_flags verified": (
        lambda key: call("users.set_flags", key, is_verified=True),
        {"is_verified": True},
    ),
    "users.set_flags superuser": (
        lambda key: call("users.set_flags", key, is_superuser=True, token_version=3),
        {"is_superuser": True},
    ),
    "users.set_flags active": (lambda key: call("users.set_flags", key, is_active=True), {"is_active": True}),
    "users.set_flags several": (
        lambda key: call("users.set_flags", key, is_verified=True, is_superuser=True, is_active=True),
        {"is_verified": True, "is_superuser": True},
    ),
}


@clause("USR-06", "USR-12", "USR-16", "COM-01", "users.update_profile")
@pytest.mark.parametrize(("change", "fields"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_sets_its_fields_and_the_time_and_leaves_sessions_alone(
    change: Callable[[str], Call],
    fields: dict[str, Any],
    backend: Backend,
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    user = await backend.users.create(
        make.user(phone_number="+41446681800", is_mfa_enabled=True, token_version=3)
    )
    bystander = await backend.users.create(make.user())
    clock.advance(timedelta(days=365 * 80))
    wanted = replace(user, updated_at=clock.now(), **fields)
    one = change(user.id)
    outcome = await one.make(backend)
    cause = "`updated_at` is not set, or taken from the wall clock, or more was changed than asked for"
    expect(outcome.value, wanted, did=f"{one.operation} eighty years later", cause=cause)
    expect(await backend.users.get_by_id(user.id), wanted, did="read it afterwards", cause=cause)
    expect(await backend.users.get_by_id(bystander.id), bystander, did="read another account")


ENDINGS: dict[str, tuple[Callable[[str], Call], dict[str, Any]]] = {
    "users.set_password": (
        lambda key: call("users.set_password", key, "changed"),
        {"hashed_password": "changed"},
    ),
    "users.set_password guarded": (
        lambda key: call("users.set_password", key, "changed", token_version=3),
        {"hashed_password": "changed"},
    ),
    "users.set_password to none": (
        lambda key: call("users.set_password", key, None),
        {"hashed_password": None},
    ),
    "users.invalidate_tokens": (lambda key: call("users.invalidate_tokens", key), {}),
    "users.set_flags": (lambda key: call("users.set_flags", key, is_active=False), {"is_active": False}),
    "users.set_flags with others": (
        lambda key: call("users.set_flags", key, is_active=False, is_verified=True),
        {"is_active": False, "is_verified": True},
    ),
}


@clause("USR-02", "USR-06", "USR-12", "users.invalidate_tokens")
@pytest.mark.parametrize(("change", "fields"), ENDINGS.values(), ids=ENDINGS.keys())
async def test_what_ends_sessions_raises_the_version_by_one_and_says_when(
    change: Callable[[str], Call],
    fields: dict[str, Any],
    backend: Backend,
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    user = await backend.users.create(make.user(token_version=3))
    clock.advance(HOUR)
    now = clock.now()
    wanted = replace(user, token_version=4, updated_at=now, tokens_invalidated_after=now, **fields)
    one = change(user.id)
    outcome = await one.make(backend)
    cause = "`token_version` is not raised in the statement that makes the change"
    expect(outcome.value, wanted, did=one.operation, cause=cause)
    expect(await backend.users.get_by_id(user.id), wanted, did="read it afterwards", cause=cause)


@clause("USR-02", "COM-08")
async def test_no_raise_of_the_version_is_lost(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user = await backend.users.create(make.user())
        half = contest.size // 2
        outcomes = await contest.run(
            [call("users.invalidate_tokens", user.id)] * half
            + [call("users.set_password", user.id, "changed")] * half
        )
        versions = sorted(value.token_version for value in outcomes.values())
        expect(
            versions,
            list(range(1, contest.size + 1)),
            did=f"ended sessions {contest.size} times at once, and compared the versions answered",
            cause="the version is read, raised in Python and written back",
        )
        stored = await backend.users.get_by_id(user.id)
        expect(stored and stored.token_version, contest.size, did="read it afterwards")


@clause("USR-09", "USR-12", "USR-16")
async def test_a_guarded_change_needs_the_version_that_authorised_it(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(token_version=3))
    email = make.email()
    for version in (2, 4, 0):
        expect(
            await backend.users.set_password(user.id, "stale", token_version=version),
            None,
            did=f"set_password guarded by version {version}, the account having 3",
            cause="the guard is missing, or `0` is taken for no guard",
        )
        expect(
            await backend.users.set_second_factor(user.id, "+41446681801", token_version=version),
            None,
            did=f"set_second_factor guarded by version {version}, the account having 3",
            cause="the guard is missing, or `0` is taken for no guard",
        )
        for flags in ({"is_verified": True}, {"is_active": False}, {"is_superuser": False}):
            expect(
                await backend.users.set_flags(user.id, **flags, token_version=version),
                None,
                did=f"set_flags with {flags} guarded by version {version}, the account having 3",
                cause="the guard is missing, or `0` is taken for no guard",
            )
        token = make.hash()
        expect(
            await backend.users.put_email_change(
                user.id, token, email, clock.now() + HOUR, token_version=version
            ),
            False,
            did=f"put_email_change guarded by version {version}, the account having 3",
            cause="the guard is missing, or `0` is taken for no guard",
        )
        expect(await backend.users.confirm_email_change(token, clock.now()), None, did="confirmed it")
    expect(await backend.users.get_by_id(user.id), user, did="read the account afterwards")
    expect(
        await backend.users.put_email_change(
            user.id, make.hash(), email, clock.now() + HOUR, token_version=3
        ),
        True,
        did="put_email_change guarded by the right version",
    )


@clause("USR-09", "USR-02", "USR-03", "USR-10")
async def test_a_password_can_be_dropped_and_set_again_by_a_reset_token(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(token_version=3))
    before, after = make.hash(), make.hash()
    await backend.users.put_reset_token(user.id, before, clock.now() + HOUR)
    stale = await backend.users.set_password(user.id, None, token_version=2)
    expect(stale, None, did="dropped the password, guarded by an older version")
    now = clock.now()
    wanted = replace(
        user, hashed_password=None, token_version=4, tokens_invalidated_after=now, updated_at=now
    )
    expect(
        await backend.users.set_password(user.id, None, token_version=3),
        wanted,
        did="dropped the password",
        cause="None is taken for `leave it as it is`, or sessions live on",
    )
    expect(await backend.users.get_by_id(user.id), wanted, did="read it afterwards")
    expect(
        await backend.users.reset_password(before, "stolen", now),
        None,
        did="used a reset token from before",
        cause="the token is not dropped together with the password",
    )
    await backend.users.put_reset_token(user.id, after, clock.now() + HOUR)
    came = await backend.users.reset_password(after, "set again", now)
    expect(came and came.hashed_password, "set again", did="set a password by a token from afterwards")


@clause("USR-16", "COM-08")
async def test_of_changes_of_the_second_factor_at_once_each_is_whole(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user = await backend.users.create(make.user())
        numbers = [f"+4144668180{number}" if number % 2 else None for number in range(contest.size)]
        outcomes = await contest.run([call("users.set_second_factor", user.id, each) for each in numbers])
        stored = await backend.users.get_by_id(user.id)
        for came in [*outcomes.values(), stored]:
            expect(
                came and came.is_mfa_enabled,
                came and came.phone_number is not None,
                did="set and removed a second factor at once, and looked whether a code is asked for",
                cause="number and switch are two writes, so an account may ask for a code with nowhere to "
                "send it",
            )


@clause("USR-09", "COM-08")
async def test_of_guarded_changes_at_once_one_wins(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user: User = await backend.users.create(make.user())
        hashes = [f"hash {number}" for number in range(contest.size)]
        outcomes = await contest.run(
            [call("users.set_password", user.id, hashed, token_version=0) for hashed in hashes]
        )
        expect(
            outcomes.tally(),
            {"User": 1, "None": contest.size - 1},
            did=f"{contest.size} guarded changes of one password at once",
            cause="the version is compared before the statement that makes the change",
        )
        stored = await backend.users.get_by_id(user.id)
        expect(stored, outcomes.values()[0], did="read it afterwards")
