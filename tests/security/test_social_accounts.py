"""Attacks on accounts by way of social sign-in: links, addresses, races (rows 4, 5, 7 and 9)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.backends import ON_MEMORY
from tests.social import Browser, auto_linking, identities, person, providers, query_of

pytestmark = pytest.mark.anyio

ALICE = "alice@example.com"
PASSWORD = "correct horse battery"
NEW = "another long password"
PHONE = "+41446681800"
EXPIRED = {"error": "expired"}


@pytest.fixture
async def world(make_world: Any) -> Any:
    return await make_world(enable_oauth=True, oauth_providers=providers())


# Linking


@ON_MEMORY
async def test_a_link_is_finished_by_the_browser_that_began_and_by_no_other(world: Any) -> None:
    """A link that an attacker began, finished by somebody else's consent, and the other way round."""
    await world.account()
    token = await world.log_in()
    owner, other = Browser(world), Browser(world)
    params = owner.provider("acme").consent(await owner.start_link(token), person("mallory"))
    assert query_of(await other.come_back(params)) == EXPIRED
    await other.start()
    assert query_of(await other.come_back(params)) == EXPIRED
    assert await identities(world) == []


@pytest.mark.parametrize("act", ["logout", "password", "disable", "delete", "email"])
async def test_a_link_is_not_finished_after_the_session_that_began_it(world: Any, act: str) -> None:
    user = await world.account()
    token, browser = await world.log_in(), Browser(world)
    params = browser.provider("acme").consent(await browser.start_link(token), person("mallory"))
    if act == "logout":
        await world.post("/logout", token=token)
    elif act == "password":
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert (await world.post("/change-password", body, token)).status_code == 200
    elif act == "disable":
        await world.rs.users.set_flags(user["id"], is_active=False)
    elif act == "email":
        body = {"new_email": "alice@example.org", "current_password": PASSWORD}
        await world.post("/change-email", body, token)
        body = {"token": await world.mailed_token("alice@example.org")}
        assert (await world.post("/confirm-email-change", body)).status_code == 200
    else:
        await world.rs.users.delete(user["id"])
    assert query_of(await browser.come_back(params)) == EXPIRED
    assert await world.rs.oauth_identities.list_for_user(user["id"]) == []


async def test_a_link_that_a_password_change_overtakes_does_not_land(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await world.account()
    token, browser = await world.log_in(), Browser(world)
    params = browser.provider("acme").consent(await browser.start_link(token), person("mallory"))
    create = world.rs.oauth_identities.create

    async def slow(*args: Any, **named: Any) -> Any:
        monkeypatch.undo()
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert (await world.post("/change-password", body, token)).status_code == 200
        return await create(*args, **named)

    monkeypatch.setattr(world.rs.oauth_identities, "create", slow)
    assert query_of(await browser.come_back(params)) == EXPIRED
    assert await world.rs.oauth_identities.list_for_user(user["id"]) == []
    assert len(await world.mails(ALICE)) == 2  # the verification and the change of the password


async def test_an_identity_opens_one_account(world: Any) -> None:
    browser = Browser(world)
    await browser.sign_in(person("mallory"))
    await world.account()
    location = await browser.link(await world.log_in(), person("mallory"))
    assert query_of(location) == {"error": "already_linked"}
    assert await identities(world) == []


@ON_MEMORY
async def test_a_sign_in_does_not_link_and_a_link_does_not_sign_in(world: Any) -> None:
    await world.account()
    browser = Browser(world)
    await browser.visit(person("mallory"))
    assert await identities(world) == []
    location = await browser.link(await world.log_in(), person("somebody.else"))
    assert query_of(location) == {"done": "connected"}


@ON_MEMORY
async def test_linking_needs_a_session(world: Any) -> None:
    await world.account()
    for token in (None, "x"):
        assert (await world.post("/oauth/acme/link/start", token=token)).status_code == 401
        assert (await world.call("DELETE", "/oauth/acme/link", token=token)).status_code == 401


# Whose account is it?


@ON_MEMORY
async def test_a_person_whose_address_changed_at_the_provider_keeps_the_account(world: Any) -> None:
    browser = Browser(world)
    first = await browser.sign_in(person())
    again = await browser.sign_in(person(email="someone@new.example", email_verified=False, full_name=None))
    assert again["was_new_account"] is False
    users = [(await world.get("/me", answer["access_token"])).json() for answer in (first, again)]
    assert users[0]["id"] == users[1]["id"]
    assert users[1]["email"] == ALICE


@ON_MEMORY
async def test_whoever_gets_an_address_at_the_provider_does_not_get_the_account(world: Any) -> None:
    """A recycled address: the same email, another subject."""
    browser = Browser(world)
    await browser.sign_in(person())
    assert query_of(await browser.visit(person(subject="the next holder"))) == {"error": "email_in_use"}


async def test_the_same_subject_of_another_issuer_is_somebody_else(world: Any) -> None:
    browser = Browser(world)
    await browser.sign_in(person())
    twin = person(issuer="https://other.example", email="mallory@example.com")
    assert (await browser.sign_in(twin, "other"))["was_new_account"] is True
    assert await world.rs.users.count() == 2


@ON_MEMORY
async def test_an_address_that_has_an_account_is_not_opened_unless_that_is_set(world: Any) -> None:
    await world.account()
    browser = Browser(world)
    spellings = {
        ALICE: "email_in_use",
        "ALICE@Example.COM": "email_in_use",
        "ａｌｉｃｅ@example.com": "email_unverified",  # another mailbox: that one is not vouched for
    }
    for address, word in spellings.items():
        assert query_of(await browser.visit(person(email=address))) == {"error": word}
    assert await identities(world) == []
    assert await world.rs.users.count() == 1


@ON_MEMORY
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email": None},
        {"email": "", "email_verified": True},
        {"email": "not an address"},
        {"email_verified": "true"},
    ],
)
async def test_an_address_that_nobody_vouches_for_opens_nothing_and_tells_nothing(
    make_world: Any, claims: dict[str, Any], known: bool
) -> None:
    world = await make_world(**auto_linking())
    if known:
        await world.account()
    assert query_of(await Browser(world).visit(person(**claims))) == {"error": "email_unverified"}
    assert await world.rs.users.count() == known


@ON_MEMORY
async def test_with_the_setting_two_verified_sides_are_linked_and_the_owner_is_told(make_world: Any) -> None:
    world = await make_world(**auto_linking())
    await world.account()
    token = await world.log_in()
    answer = await Browser(world).sign_in(person())
    assert answer["was_new_account"] is False
    assert (await world.get("/me", token)).status_code == 200  # nothing of the owner's has ended
    await world.log_in()
    assert (await world.mails(ALICE))[-1].subject == "Acme can now sign you in to RegStack"
    # A second account of the same provider, with the same address, does not follow.
    location = await Browser(world).visit(person(subject="another"))
    assert query_of(location) == {"error": "already_linked"}


@ON_MEMORY
@pytest.mark.parametrize("vouched", ["straße@example.com", "ſtrasse@example.com", "ｓtrasse@example.com"])
async def test_a_look_alike_of_an_address_opens_no_account(make_world: Any, vouched: str) -> None:
    world = await make_world(**auto_linking())
    await world.account("strasse@example.com")
    assert query_of(await Browser(world).visit(person(email=vouched))) in (
        {"error": "email_in_use"},
        {"error": "email_unverified"},
    )
    assert await identities(world, "strasse@example.com") == []


@ON_MEMORY
async def test_an_address_in_another_case_is_the_same_mailbox(make_world: Any) -> None:
    world = await make_world(**auto_linking())
    await world.account()
    await Browser(world).sign_in(person(email="Alice@Example.com"))
    assert len(await identities(world)) == 1


@ON_MEMORY
async def test_a_stolen_session_links_nothing(world: Any) -> None:
    await world.account()
    stolen = await world.log_in()
    world.clock.advance(timedelta(minutes=11))
    path = "/oauth/acme/link/start"
    assert (await world.post(path, token=stolen)).status_code == 403
    guesses = [world.post(path, {"current_password": f"guess {n}"}, stolen) for n in range(20)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*guesses)) == [400] * 5 + [429] * 15
    assert await identities(world) == []


@ON_MEMORY
async def test_the_password_or_a_fresh_sign_in_links(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    assert (await world.post("/oauth/acme/link/start", token=token)).status_code == 200
    world.clock.advance(timedelta(minutes=11))
    body = {"current_password": PASSWORD}
    assert (await world.post("/oauth/acme/link/start", body, token)).status_code == 200


@ON_MEMORY
async def test_a_link_is_not_finished_after_the_session_has_run_out(make_world: Any) -> None:
    world = await make_world(enable_oauth=True, oauth_providers=providers(), jwt_ttl_seconds=60)
    await world.account()
    browser = Browser(world)
    answer = await browser.client.post(
        f"{browser.prefix}/acme/link/start", headers={"Authorization": f"Bearer {await world.log_in()}"}
    )
    params = browser.provider("acme").consent(answer.json()["authorization_url"], person())
    world.clock.advance(timedelta(seconds=60))
    assert query_of(await browser.come_back(params)) == EXPIRED
    assert await identities(world) == []


# The account between the steps


@pytest.mark.parametrize("act", ["password", "disable", "delete", "unlink"])
async def test_a_finished_answer_dies_with_what_it_stands_for(world: Any, act: str) -> None:
    await world.account()
    token, browser = await world.log_in(), Browser(world)
    await browser.link(token, person())
    location = await browser.visit(person())
    user = await world.rs.users.get_by_email(ALICE)
    if act == "password":
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert (await world.post("/change-password", body, token)).status_code == 200
    elif act == "disable":
        await world.rs.users.set_flags(user.id, is_active=False)
        await world.rs.users.set_flags(user.id, is_active=True)
    elif act == "unlink":
        assert (await world.call("DELETE", "/oauth/acme/link", token=token)).status_code == 200
    else:
        await world.rs.users.delete(user.id)
    assert (await browser.exchange(location)).status_code == 404


async def test_a_token_dies_if_the_password_changes_while_it_is_minted(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account()
    token, browser = await world.log_in(), Browser(world)
    await browser.link(token, person())
    location = await browser.visit(person())
    record = world.rs.users.record_login

    async def slow(*args: Any) -> Any:
        monkeypatch.undo()
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert (await world.post("/change-password", body, token)).status_code == 200
        return await record(*args)

    monkeypatch.setattr(world.rs.users, "record_login", slow)
    answer = await browser.exchange(location)
    assert answer.status_code == 200
    assert (await world.get("/me", answer.json()["access_token"])).status_code == 401


@ON_MEMORY
async def test_a_disabled_account_stays_closed(make_world: Any) -> None:
    world = await make_world(**auto_linking())
    browser = Browser(world)
    await browser.sign_in(person())
    user = await world.rs.users.get_by_email(ALICE)
    await world.rs.users.set_flags(user.id, is_active=False)
    assert query_of(await browser.visit(person())) == {"error": "account_disabled"}
    other = person(issuer="https://other.example")
    assert query_of(await browser.visit(other, "other")) == {"error": "account_disabled"}
    assert await identities(world) == ["subject of alice"]


async def test_an_account_deleted_in_the_middle_does_not_come_back(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(world)
    await browser.sign_in(person())
    user = await world.rs.users.get_by_email(ALICE)
    params = browser.provider("acme").consent(await browser.start(), person())
    set_result = world.rs.oauth_states.set_result

    async def slow(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        await world.rs.users.delete(user.id)
        return await set_result(*args, **kwargs)

    monkeypatch.setattr(world.rs.oauth_states, "set_result", slow)
    assert query_of(await browser.come_back(params)) == EXPIRED
    assert await world.rs.users.count() == 0


async def test_a_new_account_whose_identity_is_taken_meanwhile_leaves_nothing_behind(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(world)
    params = browser.provider("acme").consent(await browser.start(), person())
    create = world.rs.oauth_identities.create_with_user

    async def slow(*args: Any) -> Any:
        monkeypatch.undo()
        await Browser(world).sign_in(person(email="other@example.com"))
        return await create(*args)

    monkeypatch.setattr(world.rs.oauth_identities, "create_with_user", slow)
    answer = await browser.exchange(await browser.come_back(params))
    assert (await world.get("/me", answer.json()["access_token"])).json()["email"] == "other@example.com"
    assert await world.rs.users.count() == 1


@ON_MEMORY
@pytest.mark.parametrize("enforced", [True, False])
async def test_the_second_factor_is_asked_for_where_that_is_set(make_world: Any, enforced: bool) -> None:
    world = await make_world(
        enable_oauth=True,
        enable_sms_2fa=True,
        oauth_providers=providers(),
        oauth={"enforce_mfa_on_oauth_signin": enforced},
    )
    browser = Browser(world)
    assert (await browser.sign_in(person()))["mfa_required"] is False
    user = await world.rs.users.get_by_email(ALICE)
    await world.rs.users.set_second_factor(user.id, PHONE)
    world.clock.advance(timedelta(minutes=1))
    answer = await browser.sign_in(person())
    assert answer["mfa_required"] is enforced
    assert (answer["access_token"] is None) is enforced
    if enforced:
        assert answer["expires_in"] == 600
        assert (await world.rs.users.get_by_email(ALICE)).last_login == user.last_login
        pending = answer["mfa_pending_token"]
        assert (await world.get("/me", pending)).status_code == 401
        body = {"mfa_pending_token": pending, "code": await world.texted_code(PHONE)}
        finished = await world.post("/login/mfa-confirm", body)
        assert (await world.get("/me", finished.json()["access_token"])).status_code == 200
