"""Signing in with an external provider, over HTTP on every backend."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from regstack.errors import OAuthRejected, OAuthUnavailable
from tests.social import Browser, person, providers, query_of

pytestmark = pytest.mark.anyio

ALICE = "alice@example.com"
PASSWORD = "correct horse battery"
PAGES = "http://app.example/account"


@pytest.fixture
async def world(make_world: Any) -> Any:
    return await make_world(enable_oauth=True, oauth_providers=providers())


async def me(world: Any, answer: dict[str, Any]) -> dict[str, Any]:
    found = await world.get("/me", answer["access_token"])
    assert found.status_code == 200, found.text
    return dict(found.json())


async def test_a_person_signs_up_and_signs_in_again(world: Any) -> None:
    browser = Browser(world)
    location = await browser.visit(person(), redirect_to="/welcome?to=me")
    assert location.startswith(f"{PAGES}/oauth-complete?id=")
    answer = (await browser.exchange(location)).json()
    assert answer.pop("access_token")
    assert answer == {
        "token_type": "bearer",
        "expires_in": 7200,
        "redirect_to": "/welcome?to=me",
        "was_new_account": True,
        "mfa_required": False,
        "mfa_pending_token": None,
    }
    again = await browser.sign_in(person())
    assert (again["was_new_account"], again["redirect_to"]) == (False, None)
    user = await me(world, again)
    assert (user["email"], user["is_verified"], user["full_name"]) == (ALICE, True, "Alice")
    assert user["last_login"] is not None
    assert await world.rs.users.count() == 1
    assert not await world.mails(ALICE)


async def test_the_providers_are_listed_with_those_that_are_mine(world: Any) -> None:
    listed = (await world.get("/oauth/providers")).json()
    assert listed == {
        "available": ["acme", "other"],
        "labels": {"acme": "Acme", "other": "Other & Sons"},
        "linked": [],
    }
    answer = await Browser(world).sign_in(person())
    listed = (await world.get("/oauth/providers", answer["access_token"])).json()
    (linked,) = listed["linked"]
    assert (linked["provider"], linked["email"]) == ("acme", ALICE)
    assert linked["linked_at"] == linked["last_used_at"]


async def test_a_signed_in_person_links_a_provider_and_unlinks_it(world: Any) -> None:
    await world.account()
    token, browser = await world.log_in(), Browser(world)
    who = person("somebody.else")
    assert await browser.link(token, who) == f"{PAGES}/me?done=connected"
    assert await browser.link(token, who) == f"{PAGES}/me?done=connected"
    answer = await browser.sign_in(who)
    assert answer["was_new_account"] is False
    assert (await me(world, answer))["email"] == ALICE
    assert (await world.call("DELETE", "/oauth/acme/link", token=token)).status_code == 200
    assert (await world.call("DELETE", "/oauth/acme/link", token=token)).status_code == 404
    assert (await browser.visit(who)).startswith(f"{PAGES}/oauth-complete")  # a stranger now, by that address
    subjects = [mail.subject for mail in await world.mails(ALICE)]
    assert subjects[1:] == ["Acme can now sign you in to RegStack", "Acme no longer signs you in to RegStack"]


async def test_a_link_leads_to_where_it_was_asked_for(world: Any) -> None:
    await world.account()
    token, browser = await world.log_in(), Browser(world)
    location = await browser.link(token, person(), redirect_to="/settings?tab=logins#mine")
    assert location == "/settings?tab=logins&done=connected#mine"
    location = await browser.link(token, person("another"), redirect_to="/settings")
    assert location == "/settings?error=already_linked"


async def test_the_last_way_in_stays(world: Any) -> None:
    browser = Browser(world)
    token = (await browser.sign_in(person()))["access_token"]
    refused = await world.call("DELETE", "/oauth/acme/link", token=token)
    assert refused.status_code == 400
    assert "only way into the account" in refused.json()["detail"]
    await browser.link(token, person(issuer="https://other.example"), "other")
    assert (await world.call("DELETE", "/oauth/acme/link", token=token)).status_code == 200
    assert (await world.call("DELETE", "/oauth/other/link", token=token)).status_code == 400
    await world.post("/forgot-password", {"email": ALICE})
    body = {"token": await world.mailed_token(ALICE), "new_password": PASSWORD}
    assert (await world.post("/reset-password", body)).status_code == 200
    assert (await world.call("DELETE", "/oauth/other/link", token=await world.log_in())).status_code == 200


async def test_a_provider_that_is_not_configured_any_more_is_no_way_in(world: Any) -> None:
    browser = Browser(world)
    token = (await browser.sign_in(person()))["access_token"]
    await browser.link(token, person(issuer="https://other.example"), "other")
    del world.rs.oauth.providers["other"]
    assert (await world.call("DELETE", "/oauth/acme/link", token=token)).status_code == 400
    assert (await world.call("DELETE", "/oauth/other/link", token=token)).status_code == 200


async def test_an_account_without_a_password_is_told_to_set_one_first(world: Any) -> None:
    token = (await Browser(world).sign_in(person()))["access_token"]
    for path, body in {
        "/change-password": {"new_password": "another long password"},
        "/change-email": {"new_email": "alice@example.org"},
    }.items():
        answer = await world.post(path, body | {"current_password": PASSWORD}, token)
        assert answer.status_code == 400
        assert "set a password first" in answer.json()["detail"]
    assert (await world.post("/login", {"email": ALICE, "password": PASSWORD})).status_code == 401


async def test_an_answer_by_a_form_takes_the_same_way(world: Any) -> None:
    browser = Browser(world)
    params = browser.provider("acme").consent(await browser.start(), person())
    path = f"{browser.prefix}/acme/callback"
    answer = await Browser(world).client.post(path, data=params)  # as from another site: without the cookie
    assert answer.status_code == 303
    answer = await browser.client.get(httpx_join(path, answer.headers["location"]))
    assert (await browser.exchange(answer.headers["location"])).status_code == 200
    assert (await browser.client.post(path, json=params)).status_code == 415
    assert (await browser.client.post(path, data={"state": "x" * 9000})).status_code == 413
    assert (await browser.client.post(f"{browser.prefix}/none/callback", data=params)).status_code == 404


def httpx_join(path: str, location: str) -> str:
    assert location.startswith("?")
    return path + location


@pytest.mark.parametrize(
    ("broken", "word"),
    [(OAuthUnavailable("slow"), "provider_unavailable"), (OAuthRejected("wrong nonce"), "sign_in_failed")],
)
async def test_what_goes_wrong_at_the_provider_is_told_by_a_word(world: Any, broken: Any, word: str) -> None:
    browser = Browser(world)
    url = await browser.start(redirect_to="/welcome")
    browser.provider("acme").broken = broken
    params = browser.provider("acme").consent(url, person())
    assert query_of(await browser.come_back(params)) == {"error": word, "next": "/welcome"}
    assert query_of(await browser.start()) == {"error": word}
    await world.account()
    answer = await world.post("/oauth/acme/link/start", token=await world.log_in())
    assert answer.status_code == {"provider_unavailable": 503, "sign_in_failed": 400}[word]
    assert broken.reason not in answer.text


async def test_a_person_who_says_no_is_sent_back(world: Any) -> None:
    browser = Browser(world)
    state = query_of(await browser.start())["state"]
    answer = {"state": state, "error": "access_denied", "error_description": "<script>"}
    assert await browser.come_back(answer) == f"{PAGES}/login?error=access_denied"


async def test_nobody_new_gets_in_where_registration_is_closed(make_world: Any) -> None:
    world = await make_world(enable_oauth=True, oauth_providers=providers(), allow_registration=False)
    browser = Browser(world)
    assert query_of(await browser.visit(person())) == {"error": "registration_closed"}
    await world.rs.bootstrap_admin(ALICE, PASSWORD)
    await browser.link(await world.log_in(), person())
    await browser.sign_in(person())
    assert await world.rs.users.count() == 1


async def test_unknown_providers_and_a_switched_off_part_are_not_found(make_world: Any) -> None:
    world = await make_world(enable_oauth=True, oauth_providers=providers())
    token = (await Browser(world).sign_in(person()))["access_token"]
    for method, path in [
        ("GET", "/oauth/none/start"),
        ("GET", "/oauth/none/callback"),
        ("POST", "/oauth/none/link/start"),
        ("DELETE", "/oauth/none/link"),
    ]:
        assert (await world.call(method, path, token=token)).status_code == 404
    off = await make_world()
    for method, path in [
        ("GET", "/oauth/providers"),
        ("GET", "/oauth/acme/start"),
        ("GET", "/oauth/acme/callback"),
        ("POST", "/oauth/exchange"),
        ("POST", "/oauth/acme/link/start"),
        ("DELETE", "/oauth/acme/link"),
    ]:
        assert (await off.call(method, path, token=token)).status_code == 404


async def test_two_tabs_of_one_browser_do_not_end_each_other(world: Any) -> None:
    browser = Browser(world)
    one, two = await browser.start(redirect_to="/one"), await browser.start("other", redirect_to="/two")
    acme, other = browser.provider("acme"), browser.provider("other")
    second = await browser.come_back(
        other.consent(two, person("bob", issuer="https://other.example")), "other"
    )
    first = await browser.come_back(acme.consent(one, person()))
    assert (await browser.exchange(second)).json()["redirect_to"] == "/two"
    assert (await browser.exchange(first)).json()["redirect_to"] == "/one"


async def test_handlers_are_told_and_get_no_secret(world: Any) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    for event in (
        "oauth_signin_started",
        "oauth_signin_completed",
        "oauth_account_linked",
        "oauth_account_unlinked",
        "user_registered",
        "user_verified",
        "user_logged_in",
    ):
        world.rs.on(event, lambda _event=event, **payload: told.append((_event, payload)))
    browser = Browser(world)
    token = (await browser.sign_in(person()))["access_token"]
    await browser.link(token, person(issuer="https://other.example"), "other")
    await world.call("DELETE", "/oauth/other/link", token=token)
    assert await world.rs.drain()
    assert [event for event, _ in told] == [
        "oauth_signin_started",
        "user_registered",
        "user_verified",
        "user_logged_in",
        "oauth_signin_completed",
        "oauth_account_linked",
        "oauth_account_unlinked",
    ]
    assert {key for _, payload in told for key in payload} == {
        "user",
        "provider",
        "was_new_account",
        "mfa_required",
    }


async def test_of_first_sign_ins_of_one_identity_at_once_one_makes_the_account(world: Any) -> None:
    browsers = [Browser(world) for _ in range(8)]
    locations = await asyncio.gather(*(browser.visit(person()) for browser in browsers))
    assert await world.rs.users.count() == 1
    answers = await asyncio.gather(
        *(browser.exchange(location) for browser, location in zip(browsers, locations, strict=True))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["was_new_account"] for answer in answers) == 1


async def test_of_answers_to_one_state_at_once_one_is_taken(world: Any) -> None:
    browser = Browser(world)
    url = await browser.start()
    provider = browser.provider("acme")
    answers = [provider.consent(url, person(name)) for name in ("alice", "bob", "carol", "dave")]
    locations = await asyncio.gather(*(browser.come_back(params) for params in answers))
    outcomes = Counter(query_of(location).get("error") for location in locations)
    assert outcomes == {None: 1, "expired": 3}
    assert provider.identified == 1
    assert await world.rs.users.count() == 1


async def test_of_exchanges_of_one_id_at_once_one_wins(world: Any) -> None:
    browser = Browser(world)
    location = await browser.visit(person())
    answers = await asyncio.gather(*(browser.exchange(location) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 404: 9}


async def test_two_unlinks_at_once_leave_a_way_in(world: Any) -> None:
    browser = Browser(world)
    for _ in range(5):
        token = (await browser.sign_in(person()))["access_token"]
        await browser.link(token, person(issuer="https://other.example"), "other")
        answers = await asyncio.gather(
            *(world.call("DELETE", f"/oauth/{name}/link", token=token) for name in ("acme", "other"))
        )
        assert min(answer.status_code for answer in answers) == 200
        user = await world.rs.users.get_by_email(ALICE)
        assert len(await world.rs.oauth_identities.list_for_user(user.id)) == 1
        await world.rs.users.delete(user.id)
