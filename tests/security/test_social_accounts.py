"""Attacks on accounts by way of social sign-in: links, squatters, races (rows 4, 5, 7 and 9)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from regstack.models.ids import new_id
from regstack.models.oauth_identity import OAuthIdentity
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


async def test_a_link_that_a_password_change_overtakes_is_taken_back(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await world.account()
    token, browser = await world.log_in(), Browser(world)
    params = browser.provider("acme").consent(await browser.start_link(token), person("mallory"))
    create = world.rs.oauth_identities.create

    async def slow(identity: Any) -> Any:
        monkeypatch.undo()
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert (await world.post("/change-password", body, token)).status_code == 200
        return await create(identity)

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


async def test_all_ways_of_a_squatter_into_an_account_end_when_the_owner_comes(make_world: Any) -> None:
    world = await make_world(**auto_linking(require_verification=False))
    body = {"email": ALICE, "password": PASSWORD, "full_name": "Mallory"}
    user = (await world.post("/register", body)).json()
    session, squatter = await world.log_in(), Browser(world)
    # All that an earlier version, or a host, may have let through.
    await world.rs.oauth_identities.create(
        OAuthIdentity(
            id=new_id(world.clock),
            user_id=user["id"],
            provider="other",
            issuer="https://other.example",
            subject="subject of mallory",
            email=None,
            linked_at=world.clock.now(),
        )
    )
    await world.rs.users.set_phone(user["id"], "+41446681800")
    await world.rs.users.set_mfa_enabled(user["id"], True)
    mallory = person("mallory", issuer="https://other.example")
    waiting = await squatter.visit(mallory, "other")
    await world.post(
        "/change-email", {"new_email": "mallory@example.com", "current_password": PASSWORD}, session
    )
    moving = await world.mailed_token("mallory@example.com")

    owner = Browser(world)
    answer = await owner.sign_in(person())
    found = (await world.get("/me", answer["access_token"])).json()
    assert (found["id"], found["email"], found["is_verified"]) == (user["id"], ALICE, True)
    assert (found["phone_number"], found["is_mfa_enabled"]) == (None, False)
    assert (await world.get("/me", session)).status_code == 401
    assert (await world.post("/login", {"email": ALICE, "password": PASSWORD})).status_code == 401
    assert (await squatter.exchange(waiting)).status_code == 404
    assert (await world.post("/confirm-email-change", {"token": moving})).status_code == 400
    assert await identities(world) == ["subject of alice"]
    again = await squatter.sign_in(mallory, "other")
    assert again["was_new_account"] is True


async def test_a_squatter_cannot_link_an_identity_that_would_outlive_a_reset(make_world: Any) -> None:
    """The trojan identifier: a way in that the owner, who resets the password, does not know of."""
    world = await make_world(enable_oauth=True, oauth_providers=providers(), require_verification=False)
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    answer = await world.post("/oauth/acme/link/start", token=await world.log_in())
    assert answer.status_code == 403


async def test_a_link_that_a_squatter_began_does_not_land_after_the_owner_came(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(**auto_linking(require_verification=False))
    user = (await world.post("/register", {"email": ALICE, "password": PASSWORD})).json()
    await world.rs.users.set_flags(user["id"], is_verified=True)
    squatter, owner = Browser(world), Browser(world)
    url = await squatter.start_link(await world.log_in(), "other")
    await world.rs.users.set_flags(user["id"], is_verified=False)
    mallory = person("mallory", issuer="https://other.example")
    params = squatter.provider("other").consent(url, mallory)
    create = world.rs.oauth_identities.create
    await world.rs.users.set_flags(user["id"], is_verified=True)

    async def slow(identity: Any) -> Any:
        monkeypatch.undo()
        await world.rs.users.set_flags(user["id"], is_verified=False)
        await owner.sign_in(person())
        return await create(identity)

    monkeypatch.setattr(world.rs.oauth_identities, "create", slow)
    assert query_of(await squatter.come_back(params, "other")) == EXPIRED
    assert await identities(world) == ["subject of alice"]


async def test_sign_ins_of_the_owner_at_once_claim_the_account_once(make_world: Any) -> None:
    world = await make_world(**auto_linking(require_verification=False))
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    browsers = [Browser(world) for _ in range(4)]
    locations = await asyncio.gather(*(browser.visit(person()) for browser in browsers))
    # One that finds another at it, again and again, is told to try again.
    assert {query_of(location).get("error") for location in locations} <= {None, "sign_in_failed"}
    answers = [
        (await browser.exchange(location)).status_code
        for browser, location in zip(browsers, locations, strict=True)
        if "id" in query_of(location)
    ]
    assert set(answers) == {200}
    assert await identities(world) == ["subject of alice"]
    assert (await world.rs.users.get_by_email(ALICE)).token_version == 1


async def test_who_saw_the_account_half_claimed_does_not_claim_it_again(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end the session of the sign-in before, and unlink its identity."""
    world = await make_world(**auto_linking(require_verification=False))
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    users, others = world.rs.users, []
    read, done = asyncio.Event(), asyncio.Event()
    set_flags, get_by_email = users.set_flags, users.get_by_email

    async def set_flags_late(*args: Any, **flags: Any) -> Any:
        if not others:
            others.append(asyncio.create_task(Browser(world).visit(person())))
            await read.wait()
        return await set_flags(*args, **flags)

    async def get_by_email_half_claimed(*args: Any) -> Any:
        user = await get_by_email(*args)
        if others and not user.is_verified:
            read.set()
            await done.wait()
        return user

    monkeypatch.setattr(users, "set_flags", set_flags_late)
    monkeypatch.setattr(users, "get_by_email", get_by_email_half_claimed)
    browser = Browser(world)
    location = await browser.visit(person())
    done.set()
    assert "error" not in query_of(await others[0])
    assert (await browser.exchange(location)).status_code == 200
    assert (await get_by_email(ALICE)).token_version == 1


async def test_a_pending_registration_dies_when_the_owner_comes(world: Any) -> None:
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    link = await world.mailed_token(ALICE)
    answer = await Browser(world).sign_in(person())
    assert answer["was_new_account"] is True
    assert await world.rs.pending.find_by_email(ALICE) is None
    assert (await world.post("/verify", {"token": link})).status_code == 400
    assert (await world.post("/login", {"email": ALICE, "password": PASSWORD})).status_code == 401


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
    await world.rs.users.set_phone(user.id, PHONE)
    await world.rs.users.set_mfa_enabled(user.id, True)
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
