"""Accounts with unconfirmed addresses, given to the owners of these (USR-15, USR-09)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from regstack.backends.base import Capability
from regstack.errors import UserNotFoundError
from regstack.testing.contest import call

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = pytest.mark.anyio
clause, needs = pytest.mark.clause, pytest.mark.needs

HOUR = timedelta(hours=1)


@clause("USR-15", "USR-02", "USR-03", "USR-06")
async def test_whoever_made_an_account_has_nothing_left_when_it_is_handed_over(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(
        make.user(phone_number="+41446681800", is_mfa_enabled=True, token_version=3)
    )
    bystander = await backend.users.create(make.user())
    reset, change = make.hash(), make.hash()
    await backend.users.put_reset_token(user.id, reset, clock.now() + 2 * HOUR)
    await backend.users.put_email_change(user.id, change, make.email(), clock.now() + 2 * HOUR)
    clock.advance(HOUR)
    wanted = replace(
        user,
        hashed_password=None,
        phone_number=None,
        is_mfa_enabled=False,
        is_verified=True,
        token_version=4,
        tokens_invalidated_after=clock.now(),
        updated_at=clock.now(),
    )
    expect(await backend.users.hand_over(user.id, token_version=3), wanted, did="handed it over")
    expect(await backend.users.get_by_id(user.id), wanted, did="read it afterwards")
    expect(await backend.users.reset_password(reset, "new", clock.now()), None, did="used a reset token")
    moved = await backend.users.confirm_email_change(change, clock.now())
    expect(moved, None, did="used an email-change token")
    expect(await backend.users.get_by_id(bystander.id), bystander, did="read another account")


@clause("USR-15")
@needs(Capability.OAUTH)
async def test_identities_go_when_an_account_is_handed_over(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user, other = await backend.users.create(make.user()), await backend.users.create(make.user())
    linked = await backend.oauth_identities.create(make.identity(user.id))
    kept = await backend.oauth_identities.create(make.identity(other.id))
    await backend.users.hand_over(user.id, token_version=0)
    expect(await backend.oauth_identities.list_for_user(user.id), [], did="listed its identities")
    found = await backend.oauth_identities.find_by_subject(linked.issuer, linked.subject)
    expect(found, None, did="looked for the identity", cause="a way in outlives the one who made it")
    expect(await backend.oauth_identities.list_for_user(other.id), [kept], did="listed another account's")
    again = make.identity(user.id, subject=linked.subject)
    expect(await backend.oauth_identities.create(again), again, did="linked the same identity again")


@clause("USR-15")
@needs(Capability.MFA_CODES)
async def test_codes_go_when_an_account_is_handed_over(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user, other = await backend.users.create(make.user()), await backend.users.create(make.user())
    code, kept = make.code(user.id), make.code(other.id)
    for each in (code, kept):
        await backend.mfa_codes.put(each)
    await backend.users.hand_over(user.id, token_version=0)
    expect(await backend.mfa_codes.find(user.id, code.kind), None, did="looked for the code")
    expect(await backend.mfa_codes.find(other.id, kept.kind), kept, did="looked for another account's")


@clause("USR-15")
async def test_an_account_that_is_confirmed_or_has_changed_is_not_handed_over(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    verified = await backend.users.create(make.user(is_verified=True))
    changed = await backend.users.create(make.user(token_version=1))
    clock.advance(HOUR)
    for user, did in ((verified, "that is verified"), (changed, "at another token_version")):
        came = await backend.users.hand_over(user.id, token_version=0)
        expect(came, None, did=f"handed an account over {did}")
        expect(await backend.users.get_by_id(user.id), user, did="read it afterwards")


@clause("USR-15")
@needs(Capability.OAUTH)
async def test_a_hand_over_that_is_refused_takes_nothing(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(token_version=1))
    linked = await backend.oauth_identities.create(make.identity(user.id))
    expect(await backend.users.hand_over(user.id, token_version=0), None, did="handed it over at version 0")
    expect(
        await backend.oauth_identities.list_for_user(user.id),
        [linked],
        did="listed its identities afterwards",
        cause="they are deleted before the account is looked at",
    )


@clause("USR-15", "COM-08")
@needs(Capability.OAUTH)
async def test_of_hand_overs_at_once_one_wins_and_no_link_under_way_outlives_it(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        user = await backend.users.create(make.user())
        identities = [make.identity(user.id, provider=f"p{number}") for number in range(contest.size - 2)]
        outcomes = await contest.run(
            [call("users.hand_over", user.id, token_version=0)] * 2
            + [call("oauth_identities.create", each, token_version=0) for each in identities]
        )
        winners = [each.value for each in outcomes.all[:2] if each.value is not None]
        expect(len(winners), 1, did="handed an account over twice at once, while it was linked")
        stored = await backend.users.get_by_id(user.id)
        expect(stored and stored.token_version, 1, did="read its version afterwards")
        expect(
            await backend.oauth_identities.list_for_user(user.id),
            [],
            did="listed its identities afterwards",
            cause="a link is stored after the identities were deleted and before the version is raised; "
            "both must lock the account",
        )


@clause("USR-09", "oauth_identities.create")
@needs(Capability.OAUTH)
async def test_what_an_older_version_authorised_is_not_linked(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user(token_version=1))
    identity, create = make.identity(user.id), backend.oauth_identities.create
    for version in (0, 2):
        with expect.raises(UserNotFoundError, did=f"linked at version {version} of an account at 1"):
            await create(identity, token_version=version)
    expect(await backend.oauth_identities.list_for_user(user.id), [], did="listed its identities")
    expect(await create(identity, token_version=1), identity, did="linked at the current version")
    await backend.users.invalidate_tokens(user.id)
    expect(await create(identity, token_version=1), identity, did="repeated the link after a change")
