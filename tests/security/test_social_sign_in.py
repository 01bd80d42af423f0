"""Attacks on the flow of social sign-in: browser, state, exchange, redirects (rows 2, 6 and 13)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from regstack.auth.keys import KeyRing
from regstack.auth.one_time import hash_token
from tests.backends import ON_MEMORY
from tests.social import Browser, person, providers, query_of

pytestmark = pytest.mark.anyio

ALICE = "alice@example.com"
PASSWORD = "correct horse battery"
NEW = "another long password"
PHONE = "+41446681800"
EXPIRED = {"error": "expired"}


@pytest.fixture
async def world(make_world: Any) -> Any:
    return await make_world(enable_oauth=True, oauth_providers=providers())


# The browser


@ON_MEMORY
async def test_an_answer_is_taken_from_the_browser_that_began_and_from_no_other(world: Any) -> None:
    """Login CSRF: the attacker's own answer, laid into somebody else's browser."""
    attacker, victim = Browser(world), Browser(world)
    params = attacker.provider("acme").consent(await attacker.start(), person("mallory"))
    assert query_of(await victim.come_back(params)) == EXPIRED
    await victim.start()
    assert query_of(await victim.come_back(params)) == EXPIRED
    assert attacker.provider("acme").identified == 0
    assert await world.rs.users.count() == 0
    assert "id" in query_of(await attacker.come_back(params))


@ON_MEMORY
async def test_an_exchange_id_is_taken_from_the_browser_that_began_and_from_no_other(world: Any) -> None:
    attacker, victim = Browser(world), Browser(world)
    for begin in (False, True):
        location = await attacker.visit(person("mallory"))
        if begin:
            await victim.start()
        assert (await victim.exchange(location)).status_code == 404
        # It leaked, so it is used up for the attacker as well.
        assert (await attacker.exchange(location)).status_code == 404


@ON_MEMORY
async def test_a_cookie_of_somebody_else_s_making_is_not_taken_over(world: Any) -> None:
    browser = Browser(world)
    await browser.start()
    name = next(name for name, _ in browser.client.cookies.items())
    for planted in ("", "x", "a" * 42, "a" * 44, "a" * 42 + "%", "ä" * 43):
        browser.client.cookies.clear()
        headers = {"Cookie": f"{name}={planted}".encode()}
        answer = await browser.client.get(f"{browser.prefix}/acme/start", headers=headers)
        assert answer.status_code == 302
        kept = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        assert len(kept) == 43
        assert kept != planted


@ON_MEMORY
@pytest.mark.parametrize(
    ("base_url", "prefix", "secure"),
    [("http://app.example", "", False), ("https://app.example", "__Host-", True)],
)
async def test_the_cookie_is_as_narrow_as_it_can_be(
    make_world: Any, base_url: str, prefix: str, secure: bool
) -> None:
    world = await make_world(enable_oauth=True, oauth_providers=providers(), base_url=base_url)
    answer = await Browser(world).client.get("/api/auth/oauth/acme/start")
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name.startswith(f"{prefix}regstack-oauth-account=")
    wanted = {"httponly", "max-age=330", "path=/", "samesite=lax"} | ({"secure"} if secure else set())
    assert {attribute.lower() for attribute in attributes} == wanted


# Replay, and mixed-up answers


async def test_a_state_is_good_for_one_answer_whatever_that_was(world: Any) -> None:
    browser = Browser(world)
    acme = browser.provider("acme")
    url = await browser.start()
    assert "id" in query_of(await browser.come_back(acme.consent(url, person())))
    assert query_of(await browser.come_back(acme.consent(url, person("mallory")))) == EXPIRED
    url = await browser.start()
    refused = {"state": query_of(url)["state"], "error": "access_denied"}
    assert query_of(await browser.come_back(refused)) == {"error": "access_denied"}
    assert query_of(await browser.come_back(acme.consent(url, person("mallory")))) == EXPIRED
    assert acme.identified == 1


@ON_MEMORY
async def test_a_code_fits_the_state_it_was_made_for_and_no_other(world: Any) -> None:
    browser, attacker = Browser(world), Browser(world)
    stolen = attacker.provider("acme").consent(await attacker.start(), person("mallory"))["code"]
    state = query_of(await browser.start())["state"]
    assert query_of(await browser.come_back({"state": state, "code": stolen})) == {"error": "sign_in_failed"}


@ON_MEMORY
async def test_an_answer_of_one_provider_is_not_taken_at_the_callback_of_another(world: Any) -> None:
    browser = Browser(world)
    acme, other = browser.provider("acme"), browser.provider("other")
    params = acme.consent(await browser.start("acme"), person())
    assert query_of(await browser.come_back(params, "other")) == EXPIRED
    assert (acme.identified, other.identified) == (0, 0)
    assert "id" in query_of(await browser.come_back(params, "acme"))


async def test_an_exchange_id_is_good_once_and_for_seconds(world: Any) -> None:
    browser = Browser(world)
    location = await browser.visit(person())
    assert (await browser.exchange(location)).status_code == 200
    assert (await browser.exchange(location)).status_code == 404
    location = await browser.visit(person())
    world.clock.advance(timedelta(seconds=30))
    assert (await browser.exchange(location)).status_code == 404


@ON_MEMORY
async def test_an_answer_that_comes_late_is_refused(world: Any) -> None:
    browser = Browser(world)
    params = browser.provider("acme").consent(await browser.start(), person())
    world.clock.advance(timedelta(seconds=300))
    assert query_of(await browser.come_back(params)) == EXPIRED


@ON_MEMORY
@pytest.mark.parametrize(
    "answer",
    [
        [],
        [("state", "")],
        [("state", "x" * 5000)],
        [("state", "\0\ud800".encode("utf-8", "surrogatepass"))],
        [("state", "$STATE"), ("state", "$STATE"), ("code", "$CODE")],
        [("state", "$STATE"), ("code", "$CODE"), ("code", "$CODE")],
        [("state", "$STATE ")],
        [("state", "$STATE.x"), ("code", "$CODE")],
    ],
)
async def test_a_malformed_answer_is_an_unknown_one(world: Any, answer: list[tuple[str, Any]]) -> None:
    browser = Browser(world)
    params = browser.provider("acme").consent(await browser.start(), person())
    filled = [
        (
            name,
            value.replace("$STATE", params["state"]).replace("$CODE", params["code"])
            if isinstance(value, str)
            else value,
        )
        for name, value in answer
    ]
    assert query_of(await browser.come_back(filled)) == EXPIRED


@ON_MEMORY
@pytest.mark.parametrize(
    "body", [{"id": ""}, {"id": "x" * 257}, {"id": "a\0b"}, {"id": 1}, {"id": "x", "a": 1}]
)
async def test_a_malformed_exchange_is_refused(world: Any, body: dict[str, Any]) -> None:
    assert (await world.post("/oauth/exchange", body)).status_code == 422


@ON_MEMORY
async def test_neither_half_of_an_exchange_id_fits_another_one(world: Any) -> None:
    browser = Browser(world)
    mine = query_of(await browser.visit(person("mallory")))["id"]
    other = query_of(await browser.visit(person()))["id"]
    crossed = other.partition(".")[0] + "." + mine.partition(".")[2]
    assert (await world.call("POST", "/oauth/exchange", {"id": crossed})).status_code == 404
    answer = await browser.client.post(f"{browser.prefix}/exchange", json={"id": crossed})
    assert answer.status_code == 404


async def test_storage_holds_no_secret_of_a_run(world: Any) -> None:
    browser = Browser(world)
    url = await browser.start()
    state = query_of(url)["state"]
    row = await world.rs.oauth_states.find(hashlib.sha256(state.encode()).hexdigest())
    nonce, verifier, _ = browser.provider("acme")._requests[state]
    assert len({state, nonce, verifier}) == 3
    for secret in (state, nonce, verifier, browser.cookie):
        assert secret
        assert secret not in str([getattr(row, name) for name in row.__slots__])
    # They cannot be computed from what storage has.
    assert hash_token(verifier) != row.state_hash
    assert {nonce, verifier}.isdisjoint(
        hashlib.sha256(text.encode()).hexdigest() for text in (state, row.state_hash)
    )


@ON_MEMORY
async def test_a_run_outlives_a_change_of_the_key_and_not_its_end(world: Any) -> None:
    browser, flow = Browser(world), world.rs.oauth.flow
    acme = browser.provider("acme")
    older = flow._keys
    root = next(iter(older._roots.values())).decode()
    for previous, word in (([root], None), ([], "expired")):
        flow._keys = older
        params = acme.consent(await browser.start(), person())
        flow._keys = KeyRing("another root secret that only the tests know", previous)
        assert query_of(await browser.come_back(params)).get("error") == word


# Where it leads


@ON_MEMORY
@pytest.mark.parametrize(
    "target",
    [
        *(
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
        ),
        *(
            "/%2f%2fevil.example",
            "/%5cevil.example",
            "/\t/evil.example",
            "\\\\evil.example",
            "evil.example",
            "",
        ),
        *("/\r\nSet-Cookie: a=b", "/ok/..//evil.example", "/%252f%252fevil.example", "/" + "a" * 3000),
    ],
)
async def test_no_sign_in_or_link_leads_to_another_site(world: Any, target: str) -> None:
    browser = Browser(world)
    assert (await browser.sign_in(person(), redirect_to=target))["redirect_to"] is None
    denied = {"state": query_of(await browser.start(redirect_to=target))["state"], "error": "access_denied"}
    assert await browser.come_back(denied) == "http://app.example/account/login?error=access_denied"
    token = (await browser.sign_in(person()))["access_token"]
    other = person(issuer="https://other.example")
    assert (await browser.link(token, other, "other", redirect_to=target)).startswith(
        "http://app.example/account/me?done="
    )


@ON_MEMORY
async def test_a_poisoned_host_leads_nowhere_else(world: Any) -> None:
    browser = Browser(world)
    browser.client.headers["Host"] = "evil.example"
    browser.client.headers["X-Forwarded-Host"] = "evil.example"
    url = await browser.start()
    assert query_of(url)["redirect_uri"] == "http://app.example/api/auth/oauth/acme/callback"


@ON_MEMORY
async def test_words_of_the_provider_reach_neither_page_nor_log_line(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Browser(world)
    state = query_of(await browser.start())["state"]
    text = "access_denied\r\nroot logged in<script>"
    location = await browser.come_back({"state": state, "error": text, "error_description": text})
    assert query_of(location) == {"error": "access_denied"}
    assert not [record for record in caplog.records if "\n" in record.getMessage()]
