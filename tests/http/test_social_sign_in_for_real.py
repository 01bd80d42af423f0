"""Signing in with OpenID providers that others wrote: settings, client, flow and storage together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.servers.oidc import REDIRECT_URI, MockProvider, NodeProvider, sign_in
from tests.social import Browser, query_of

pytestmark = pytest.mark.anyio

ALICE, PAGES = "alice@example.com", "http://app.example/account"


async def on(make_world: Any, issuer: str, secret: str, **settings: Any) -> Any:
    """An application whose settings name the provider, and whose clock goes as the provider's."""
    acme = {"issuer": issuer, "client_id": "basic", "client_secret": secret, "redirect_uri": REDIRECT_URI}
    world = await make_world(enable_oauth=True, oauth={"providers": {"acme": acme}}, **settings)
    world.clock.advance(datetime.now(UTC) - world.clock.now())
    return world


async def visit(browser: Browser, url: str, account: str = "alice") -> str:
    """Sign in at the provider that the URL leads to; gives where the way back leads."""
    return await browser.come_back(await sign_in(url, account))


async def test_the_certified_provider_signs_people_in_and_is_linked(
    make_world: Any, oidc_provider: NodeProvider
) -> None:
    world = await on(make_world, oidc_provider.issuer, oidc_provider.CLIENT_SECRET)
    browser = Browser(world)
    for is_new in (True, False):
        location = await visit(browser, await browser.start(redirect_to="/welcome"))
        answer = (await browser.exchange(location)).json()
        assert (answer["was_new_account"], answer["redirect_to"]) == (is_new, "/welcome")
    me = (await world.get("/me", answer["access_token"])).json()
    assert (me["email"], me["full_name"], me["is_verified"]) == (ALICE, "Alice Adams", True)
    assert query_of(await visit(browser, await browser.start(), "bob")) == {"error": "email_unverified"}
    assert query_of(await visit(browser, await browser.start(), "nobody")) == {"error": "access_denied"}

    await world.account("carol@example.com")
    token = await world.log_in("carol@example.com")
    assert await visit(browser, await browser.start_link(token), "bob") == f"{PAGES}/me?done=connected"
    answer = (await browser.exchange(await visit(browser, await browser.start(), "bob"))).json()
    me = (await world.get("/me", answer["access_token"])).json()
    assert me["email"] == "carol@example.com"
    assert await world.rs.users.count() == 2


async def test_an_answer_of_the_provider_is_good_once_and_in_one_browser(
    make_world: Any, oidc_provider: NodeProvider
) -> None:
    world = await on(make_world, oidc_provider.issuer, oidc_provider.CLIENT_SECRET)
    browser, other = Browser(world), Browser(world)
    params = await sign_in(await browser.start())
    assert query_of(await other.come_back(params)) == {"error": "expired"}
    location = await browser.come_back(params)
    assert query_of(await browser.come_back(params)) == {"error": "expired"}
    assert (await browser.exchange(location)).status_code == 200
    theirs, ours = await sign_in(await other.start()), await sign_in(await browser.start())
    crossed = ours | {"code": theirs["code"]}
    assert query_of(await browser.come_back(crossed)) == {"error": "sign_in_failed"}


async def test_a_second_provider_of_other_people_signs_people_in(
    make_world: Any, oidc_mock: MockProvider
) -> None:
    world = await on(make_world, oidc_mock.issuer, "any secret")
    browser = Browser(world)
    answer = await browser.exchange(await visit(browser, await browser.start()))
    assert answer.json()["was_new_account"] is True
    assert (await world.get("/me", answer.json()["access_token"])).json()["email"] == ALICE


@pytest.mark.parametrize("confirmed", [True, False])
async def test_with_the_setting_the_provider_opens_the_account_of_its_address(
    make_world: Any, oidc_provider: NodeProvider, confirmed: bool
) -> None:
    world = await on(
        make_world, oidc_provider.issuer, oidc_provider.CLIENT_SECRET, require_verification=confirmed
    )
    assert world.rs.config.oauth.auto_link_verified_emails is False
    body = {"email": ALICE, "password": "correct horse battery"}
    await (world.account() if confirmed else world.post("/register", body))
    browser = Browser(world)
    assert query_of(await visit(browser, await browser.start())) == {"error": "email_in_use"}
    world.rs.oauth.accounts._auto_link = True
    answer = await browser.exchange(await visit(browser, await browser.start()))
    assert answer.status_code == 200
    assert (await world.post("/login", body)).status_code == (200 if confirmed else 401)
