"""Deleting an account takes everything keyed to it with it (USR-05)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from regstack.backends.base import Capability
from regstack.models.mfa_code import MfaOutcome
from regstack.testing.contest import Call, call

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = pytest.mark.anyio
clause, needs = pytest.mark.clause, pytest.mark.needs

HOUR = timedelta(hours=1)
FOREVER = timedelta(days=3650)


@clause("USR-05", "users.delete")
async def test_a_deleted_account_is_gone_for_every_read_and_its_address_is_free(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    bystander = await backend.users.create(make.user())
    expect(await backend.users.delete(user.id), True, did="deleted an account")
    expect(await backend.users.delete(user.id), False, did="deleted it again")
    expect(await backend.users.get_by_id(user.id), None, did="read it by id")
    expect(await backend.users.get_by_email(user.email_key), None, did="read it by address")
    expect(await backend.users.get_token_subject(user.id, jti=make.id()), None, did="presented its token")
    expect((await backend.users.find_login_subject(user.email_key)).user, None, did="signed in")
    expect(await backend.users.list_page(limit=5), [bystander], did="listed all accounts")
    successor = await backend.users.create(make.user(email_key=user.email_key))
    expect(await backend.users.get_by_email(user.email_key), successor, did="registered the address again")


@clause("USR-05")
async def test_a_deleted_account_cannot_come_back_through_its_own_confirmation(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    pending = make.pending(user_id=user.id, email=user.email, email_key=user.email_key)
    await backend.pending.put(pending)
    await backend.users.delete(user.id)
    expect(
        await backend.users.create_from_pending(pending.token_hash, clock.now()),
        None,
        did="deleted an unverified account, then confirmed its address",
        cause="the pending row that carries the user's id is not deleted with the user",
    )
    expect(await backend.users.get_by_id(user.id), None, did="read the account")


@clause("USR-05")
@needs(Capability.MFA_CODES)
async def test_codes_go_with_the_account(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    code = make.code(user.id)
    await backend.mfa_codes.put(code)
    await backend.users.delete(user.id)
    expect(await backend.mfa_codes.find(user.id, code.kind), None, did="looked for the code")
    result = await backend.mfa_codes.verify(user.id, code.kind, code.code_hash, clock.now())
    expect(result.outcome, MfaOutcome.MISSING, did="presented the right code")


@clause("USR-05")
@needs(Capability.OAUTH)
async def test_identities_go_with_the_account_and_can_be_linked_to_another(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    user, heir = await backend.users.create(make.user()), await backend.users.create(make.user())
    identity = await backend.oauth_identities.create(make.identity(user.id))
    await backend.users.delete(user.id)
    found = await backend.oauth_identities.find_by_subject(identity.issuer, identity.subject)
    expect(found, None, did="looked for the identity of a deleted account", cause="an orphaned row")
    expect(await backend.oauth_identities.list_for_user(user.id), [], did="listed its identities")
    linked = make.identity(heir.id, subject=identity.subject)
    outcome = await call("oauth_identities.create", linked).make(backend)
    expect(outcome.value, linked, did="linked the identity to another account", cause="an orphan blocks it")


@clause("USR-05")
@needs(Capability.OAUTH)
async def test_flows_of_a_deleted_account_come_to_nothing(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    user = await backend.users.create(make.user())
    linking, signing_in = make.state(linking_user_id=user.id), make.state()
    result_hash = make.hash()
    for state in (linking, signing_in):
        await backend.oauth_states.create(state)
    await backend.oauth_states.set_result(
        signing_in.state_hash,
        result_hash=result_hash,
        user_id=user.id,
        token_version=0,
        was_new_account=False,
        expires_at=clock.now() + HOUR,
        now=clock.now(),
    )
    await backend.users.delete(user.id)
    expect(await backend.oauth_states.find(linking.state_hash), None, did="looked for a link under way")
    came = await backend.oauth_states.consume(result_hash, clock.now())
    expect(came, None, did="exchanged the result of a sign-in", cause="the row outlives the account")


async def _traces(backend: Backend, user_id: str, keyed: dict[str, Any]) -> list[str]:
    traces = []
    if await backend.users.get_by_id(user_id) is not None:
        traces.append("users")
    if "code" in keyed and await backend.mfa_codes.find(user_id, keyed["code"]) is not None:
        traces.append("mfa_codes")
    if "identity" in keyed:
        if await backend.oauth_identities.list_for_user(user_id):
            traces.append("oauth_identities")
        if await backend.oauth_identities.find_by_subject(*keyed["identity"]) is not None:
            traces.append("oauth_identities by subject")
        for state_hash in keyed["states"]:
            if await backend.oauth_states.find(state_hash) is not None:
                traces.append("oauth_states")  # noqa: PERF401 - it awaits
    return traces


@clause("USR-05", "COM-08", "COM-04")
async def test_nothing_is_left_when_deleting_races_with_whatever_is_keyed_to_the_account(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds * 2):
        user = await backend.users.create(make.user())
        keyed: dict[str, Any] = {}
        rivals: list[Call] = [
            call("users.record_login", user.id, clock.now()),
            call("users.put_reset_token", user.id, make.hash(), clock.now() + HOUR),
            call("users.set_password", user.id, "changed"),
            call("users.set_flags", user.id, is_verified=True),
        ]
        if Capability.MFA_CODES in backend.capabilities:
            code = make.code(user.id)
            keyed["code"] = code.kind
            rivals += [call("mfa_codes.put", code)] * 4
        if Capability.OAUTH in backend.capabilities:
            identity = make.identity(user.id)
            keyed["identity"] = (identity.issuer, identity.subject)
            states = [make.state(linking_user_id=user.id) for _ in range(4)]
            keyed["states"] = [state.state_hash for state in states]
            rivals += [call("oauth_identities.create", identity)] * 4
            rivals += [call("oauth_states.create", state) for state in states]
        rivals += rivals[: contest.size - 2 - len(rivals)]
        outcomes = await contest.run([call("users.delete", user.id)] * 2 + rivals)
        expect(
            sorted(str(outcome.value) for outcome in outcomes.all[:2]),
            ["False", "True"],
            did="deleted an account twice, while it signed in and was linked",
        )
        expect(
            await _traces(backend, user.id, keyed),
            [],
            did="looked for traces of the account afterwards",
            cause="a row is written after its user was read and before the user was deleted; "
            "a foreign key, or a write that locks the user, prevents it",
        )
    swept = await backend.purge_expired(clock.now() + FOREVER, grace=timedelta())
    expect.that(
        swept.get("mfa_codes", 0) == 0 and swept.get("oauth_states", 0) == 0,
        came=swept,
        wanted="no codes and no flows",
        did="swept everything, the accounts being gone",
        cause="rows without their user stay until they expire; allowed only where nothing else is possible",
    )
