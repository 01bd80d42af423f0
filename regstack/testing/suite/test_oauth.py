"""External identities and authorisation flows (OID-01, OID-02, OST-01, OST-02)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from regstack.backends.base import Capability
from regstack.errors import OAuthIdentityAlreadyLinkedError, UserAlreadyExistsError
from regstack.testing.contest import call

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = [pytest.mark.anyio, pytest.mark.needs(Capability.OAUTH)]
clause = pytest.mark.clause

HOUR = timedelta(hours=1)


@clause("oauth_identities.create", "oauth_identities.find_by_subject", "COM-10")
async def test_an_identity_is_found_as_it_was_linked(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    identity = make.identity(user.id, email=None, last_used_at=clock.now())
    expect(await backend.oauth_identities.create(identity), identity, did="linked it")
    again = replace(identity, subject="another")
    expect(await backend.oauth_identities.create(again), identity, did="linked it again under its id")
    find = backend.oauth_identities.find_by_subject
    expect(await find(identity.issuer, identity.subject), identity, did="looked for it")
    expect(await find(identity.issuer, "another"), None, did="looked for another subject")
    expect(await find("https://other.example", identity.subject), None, did="looked at another issuer")


@clause("OID-01")
async def test_an_identity_and_a_place_are_taken_once(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    one, other = await backend.users.create(make.user()), await backend.users.create(make.user())
    identity = await backend.oauth_identities.create(make.identity(one.id))
    taken = OAuthIdentityAlreadyLinkedError
    with expect.raises(taken, did="linked the identity to another account"):
        await backend.oauth_identities.create(make.identity(other.id, subject=identity.subject))
    with expect.raises(taken, did="linked the identity once more, through another provider"):
        await backend.oauth_identities.create(
            make.identity(one.id, subject=identity.subject, provider="google-2")
        )
    with expect.raises(taken, did="linked a second identity of the same provider"):
        await backend.oauth_identities.create(make.identity(one.id))
    expect(await backend.oauth_identities.list_for_user(one.id), [identity], did="listed them")
    expect(await backend.oauth_identities.list_for_user(other.id), [], did="listed the other account's")
    elsewhere = make.identity(other.id, subject=identity.subject, issuer="https://other.example")
    outcome = await call("oauth_identities.create", elsewhere).make(backend)
    expect(outcome.value, elsewhere, did="linked the same subject of another issuer")


@clause("OID-01", "COM-08", "COM-04")
async def test_of_links_of_one_identity_at_once_one_wins(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    users = [await backend.users.create(make.user()) for _ in range(contest.size)]
    for number in range(contest.rounds):
        subject = make.hash()
        provider = f"provider-{number}"
        identities = [make.identity(user.id, subject=subject, provider=provider) for user in users]
        outcomes = await contest.run([call("oauth_identities.create", each) for each in identities])
        expect(
            outcomes.tally(),
            {"OAuthIdentity": 1, "OAuthIdentityAlreadyLinkedError": contest.size - 1},
            did=f"linked one identity to {contest.size} accounts at once",
            cause="the identity is looked up before it is inserted; a unique index must decide",
        )
        found = await backend.oauth_identities.find_by_subject(identities[0].issuer, subject)
        expect(found, outcomes.values()[0], did="looked for the winner")


@clause("OID-01", "COM-08", "COM-04")
async def test_of_links_to_one_place_at_once_one_wins(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user = await backend.users.create(make.user())
        identities = [make.identity(user.id) for _ in range(contest.size)]
        outcomes = await contest.run([call("oauth_identities.create", each) for each in identities])
        expect(
            outcomes.tally(),
            {"OAuthIdentity": 1, "OAuthIdentityAlreadyLinkedError": contest.size - 1},
            did=f"linked {contest.size} identities of one provider to one account at once",
            cause="the place is looked up before it is taken; a unique index must decide",
        )
        left = await backend.oauth_identities.list_for_user(user.id)
        expect(left, outcomes.values(), did="listed them afterwards")


@clause("OID-02", "COM-10")
async def test_an_account_and_its_identity_are_made_together(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    identities = backend.oauth_identities
    user = make.user(hashed_password=None, is_verified=True)
    identity = make.identity(user.id, email=None)
    for did in ("made an account with an identity", "made it again"):
        expect(await identities.create_with_user(user, identity), user, did=did)
        expect(await backend.users.get_by_email(user.email_key), user, did=f"{did}; read the account")
        expect(await identities.list_for_user(user.id), [identity], did=f"{did}; listed its identities")
    found = await identities.find_by_subject(identity.issuer, identity.subject)
    expect(found, identity, did="looked for the identity")
    expect(await backend.users.list_page(limit=5, search=user.email_key), [user], did="searched for it")


@clause("OID-02", "COM-04")
async def test_of_an_account_and_its_identity_neither_is_made_where_one_is_taken(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    holder = await backend.users.create(make.user())
    linked = await backend.oauth_identities.create(make.identity(holder.id))
    one, other, third = make.user(), *(make.user(email_key=holder.email_key) for _ in range(2))
    free = make.identity(other.id)
    for user, identity, error in (
        (one, make.identity(one.id, subject=linked.subject), OAuthIdentityAlreadyLinkedError),
        (other, free, UserAlreadyExistsError),
        (third, make.identity(third.id, subject=linked.subject), UserAlreadyExistsError),
    ):
        with expect.raises(error, did="made an account whose address, or whose identity, is taken"):
            await backend.oauth_identities.create_with_user(user, identity)
        expect(await backend.users.get_by_id(user.id), None, did="read the account that was refused")
        expect(await backend.oauth_identities.list_for_user(user.id), [], did="listed its identities")
    expect(await backend.users.count(), 1, did="counted accounts", cause="the account stays without a way in")
    find = backend.oauth_identities.find_by_subject
    expect(await find(linked.issuer, linked.subject), linked, did="looked for the holder's identity")
    expect(await find(free.issuer, free.subject), None, did="looked for the identity that was refused")


@clause("OID-02", "COM-08", "COM-04")
async def test_of_first_sign_ins_at_once_one_makes_the_account_and_it_is_whole(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        before, key, subject = await backend.users.count(), make.email().key, make.hash()
        users = [make.user(email_key=key) if at % 2 else make.user() for at in range(contest.size)]
        pairs = [(user, make.identity(user.id, subject=subject)) for user in users]
        outcomes = await contest.run([call("oauth_identities.create_with_user", *pair) for pair in pairs])
        refused = outcomes.tally()
        expect(refused.pop("User", 0), 1, did=f"made {contest.size} accounts with one identity at once")
        expect.that(
            refused.keys() <= {"UserAlreadyExistsError", "OAuthIdentityAlreadyLinkedError"},
            came=refused,
            wanted="a conflict for everybody else",
            did=f"made {contest.size} accounts with one identity at once, half of them with one address",
        )
        (winner,) = outcomes.values()
        expect(
            await backend.users.count(),
            before + 1,
            did="counted accounts afterwards",
            cause="an account whose identity is taken stays, or is seen until it is deleted again",
        )
        left = await backend.oauth_identities.list_for_user(winner.id)
        expect([each.subject for each in left], [subject], did="listed the winner's identities")


@clause("OID-02", "COM-08")
async def test_an_account_whose_identity_is_taken_is_never_there_and_in_nobody_s_way(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    holder = await backend.users.create(make.user())
    taken = await backend.oauth_identities.create(make.identity(holder.id))
    for _ in range(contest.rounds * 2):
        key = make.email().key
        doomed = [make.user(email_key=key) for _ in range(contest.size - 1)]
        pairs = [(user, make.identity(user.id, subject=taken.subject)) for user in doomed]
        user = make.user(email_key=key)
        calls = [call("oauth_identities.create_with_user", *pair) for pair in pairs]
        outcomes = await contest.run([call("users.create", user), *calls])
        expect(
            outcomes.all[0].error or outcomes.all[0].value,
            user,
            did=f"registered an address while {len(doomed)} others tried to make an account of it, "
            "with an identity that is taken",
            cause="an account is stored before its identity, and deleted again",
        )
        expect(len(outcomes.values()), 1, did="counted who succeeded")


@clause("oauth_identities.list_for_user")
async def test_identities_are_listed_by_their_age_and_then_by_id(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user, other = await backend.users.create(make.user()), await backend.users.create(make.user())
    now = clock.now()
    ages = [2, 0, 1, 1]
    identities = [
        make.identity(user.id, provider=f"p{number}", linked_at=now - age * HOUR)
        for number, age in enumerate(ages)
    ]
    for identity in (*reversed(identities), make.identity(other.id)):
        await backend.oauth_identities.create(identity)
    wanted = sorted(identities, key=lambda identity: (identity.linked_at, identity.id))
    expect(await backend.oauth_identities.list_for_user(user.id), wanted, did="listed four identities")


@clause("USR-09", "oauth_identities.delete")
async def test_what_an_older_version_authorised_is_not_unlinked(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(token_version=1))
    linked = await backend.oauth_identities.create(make.identity(user.id))
    delete = backend.oauth_identities.delete
    for version in (0, 2):
        came = await delete(user.id, linked.provider, token_version=version)
        expect(came, False, did=f"unlinked at version {version} of an account at 1")
    expect(await backend.oauth_identities.list_for_user(user.id), [linked], did="listed its identities")
    expect(await delete(user.id, linked.provider, token_version=1), True, did="unlinked at its version")


@clause("oauth_identities.delete", "oauth_identities.delete_by_user_id")
async def test_unlinking_takes_one_provider_or_all_of_one_account(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user, other = await backend.users.create(make.user()), await backend.users.create(make.user())
    for provider in ("google", "apple", "github"):
        await backend.oauth_identities.create(make.identity(user.id, provider=provider))
    kept = await backend.oauth_identities.create(make.identity(other.id))
    delete = backend.oauth_identities.delete
    expect(await delete(user.id, "gitlab"), False, did="unlinked a provider that is not linked")
    expect(await delete(user.id, "google"), True, did="unlinked a provider")
    expect(await delete(user.id, "google"), False, did="unlinked it again")
    expect(await backend.oauth_identities.delete_by_user_id(user.id), 2, did="unlinked the rest")
    expect(await backend.oauth_identities.delete_by_user_id(user.id), 0, did="unlinked the rest again")
    expect(await backend.oauth_identities.list_for_user(user.id), [], did="listed them")
    expect(await backend.oauth_identities.list_for_user(other.id), [kept], did="listed another account's")


@clause("oauth_identities.touch_last_used", "COM-08")
async def test_the_last_use_never_moves_back(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    identity = await backend.oauth_identities.create(make.identity(user.id))
    times = [clock.now() + timedelta(minutes=minute) for minute in range(contest.size)]
    outcomes = await contest.run(
        [call("oauth_identities.touch_last_used", identity.id, when) for when in times]
    )
    expect(outcomes.tally(), {"True": contest.size}, did="used an identity many times at once")
    await backend.oauth_identities.touch_last_used(identity.id, clock.now() - HOUR)
    found = await backend.oauth_identities.find_by_subject(identity.issuer, identity.subject)
    wanted = replace(identity, last_used_at=times[-1])
    expect(found, wanted, did="used it many times at once, then once in the past", cause="lost update")


def _result(make: Builder, user_id: str, **fields: Any) -> dict[str, Any]:
    now = make.clock.now()
    return {
        "result_hash": make.hash(),
        "user_id": user_id,
        "token_version": 4,
        "was_new_account": True,
        "expires_at": now + HOUR,
        "now": now,
    } | fields


@clause("oauth_states.create", "oauth_states.find")
async def test_a_flow_is_found_as_it_was_stored_and_its_state_is_taken_once(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    linking = make.state(linking_user_id=user.id, result_token_version=7)
    signing_in = make.state(redirect_to=None)
    for state in (linking, signing_in):
        expect(await backend.oauth_states.create(state), True, did="stored a flow")
        expect(await backend.oauth_states.find(state.state_hash), state, did="looked for it")
        rival = make.state(state_hash=state.state_hash)
        expect(await backend.oauth_states.create(rival), False, did="stored another with its state")
        expect(await backend.oauth_states.find(state.state_hash), state, did="looked for it again")
    expect(await backend.oauth_states.find(make.hash()), None, did="looked for an unknown flow")


@clause("OST-01", "OST-02")
async def test_a_flow_gets_one_result_and_is_exchanged_once(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    state = make.state()
    await backend.oauth_states.create(state)
    result = _result(make, user.id, expires_at=clock.now() + 3 * HOUR)
    set_result, consume = backend.oauth_states.set_result, backend.oauth_states.consume
    expect(await set_result(make.hash(), **result), False, did="set the result of an unknown flow")
    expect(await consume(result["result_hash"], clock.now()), None, did="exchanged it before it was set")
    expect(await set_result(state.state_hash, **result), True, did="set the result")
    expect(await set_result(state.state_hash, **_result(make, user.id)), False, did="set another result")
    expect(await set_result(state.state_hash, **result), False, did="set the same result again")
    wanted = replace(
        state,
        result_hash=result["result_hash"],
        result_user_id=user.id,
        result_token_version=4,
        was_new_account=True,
        expires_at=result["expires_at"],
    )
    expect(await backend.oauth_states.find(state.state_hash), wanted, did="looked for the flow")
    late = clock.now() + 2 * HOUR
    for wrong in (make.hash(), state.state_hash, ""):
        expect(await consume(wrong, late), None, did="exchanged something that is no result")
    expect(await consume(result["result_hash"], late), wanted, did="exchanged the result")
    expect(await consume(result["result_hash"], late), None, did="exchanged it again")
    expect(await backend.oauth_states.find(state.state_hash), None, did="looked for the flow afterwards")


@clause("OST-01", "COM-08")
async def test_of_results_at_once_one_is_stored(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    for _ in range(contest.rounds):
        state = make.state()
        await backend.oauth_states.create(state)
        results = [_result(make, user.id) for _ in range(contest.size)]
        outcomes = await contest.run(
            [call("oauth_states.set_result", state.state_hash, **result) for result in results]
        )
        expect(
            outcomes.tally(),
            {"True": 1, "False": contest.size - 1},
            did=f"set {contest.size} results of one flow at once",
            cause="the row is read before it is changed",
        )
        won = next(each for each, one in zip(results, outcomes.all, strict=True) if one.value is True)
        stored = await backend.oauth_states.find(state.state_hash)
        expect(stored and stored.result_hash, won["result_hash"], did="looked for the result stored")


@clause("OST-02", "COM-08")
async def test_of_exchanges_at_once_one_wins(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    for _ in range(contest.rounds):
        state = make.state()
        await backend.oauth_states.create(state)
        result = _result(make, user.id)
        await backend.oauth_states.set_result(state.state_hash, **result)
        one = call("oauth_states.consume", result["result_hash"], clock.now())
        outcomes = await contest.repeat(one)
        expect(
            outcomes.tally(),
            {"OAuthState": 1, "None": contest.size - 1},
            did=f"exchanged one result {contest.size} times at once",
            cause="the row is read before it is deleted",
        )
        expect(await backend.oauth_states.find(state.state_hash), None, did="looked for the flow afterwards")


@clause("oauth_states.create", "COM-08", "COM-04")
async def test_of_flows_with_one_state_at_once_one_is_stored(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        state_hash = make.hash()
        states = [make.state(state_hash=state_hash) for _ in range(contest.size)]
        outcomes = await contest.run([call("oauth_states.create", state) for state in states])
        expect(outcomes.tally(), {"True": 1, "False": contest.size - 1}, did="stored one state many times")
