"""Signing in with an external provider on the pages."""

from __future__ import annotations

from typing import Any

import pytest

from regstack.services.oauth_flow import ERROR_WORDS
from regstack.ui.messages import OAUTH_ERRORS
from tests.social import person, providers

pytestmark = pytest.mark.anyio

ALICE = "alice@example.com"


@pytest.fixture
async def browser(make_browser: Any) -> Any:
    return await make_browser(enable_oauth=True, oauth_providers=providers())


async def come_back(browser: Any, departure: Any, who: Any = None, provider: str = "acme") -> Any:
    """Sign in at the provider that an answer leads to, and come back as the browser is sent."""
    params = browser.rs.oauth.providers[provider].consent(departure, who or person())
    answer = await browser.client.get(
        f"/api/auth/oauth/{provider}/callback", params=params, follow_redirects=False
    )
    return await browser.open(answer.headers["location"])


async def sign_in(browser: Any, page: str = "login", who: Any = None) -> Any:
    """Follow the link on a page to the provider and come back."""
    shown = await browser.open(page)
    (link,) = [each["href"] for each in shown.markup.all("a") if "/oauth/acme/start" in (each["href"] or "")]
    answer = await browser.client.get(link, follow_redirects=False)
    return await come_back(browser, answer.headers["location"], who)


async def connect(browser: Any, who: Any = None, provider: str = "acme") -> Any:
    page = await browser.post("me/connect", {"provider": provider})
    assert page.status == 200, page.html
    (onward,) = [each for each in page.markup.all("meta") if each.get("http-equiv") == "refresh"]
    target = (onward["content"] or "").removeprefix("0; url=")
    assert target in [each["href"] for each in page.markup.all("a")]
    return await come_back(browser, target, who, provider)


@pytest.mark.parametrize("page", ["login", "register"])
async def test_a_person_signs_in_with_a_link_on_the_page(browser: Any, page: str) -> None:
    shown = await sign_in(browser, page)
    assert (shown.status, shown.path) == (200, "/account/me")
    assert ALICE in shown.html
    assert "no password yet" in shown.html
    assert browser.cookie


async def test_a_person_comes_back_to_where_they_wanted_to_go(browser: Any) -> None:
    shown = await sign_in(browser, "login?next=/account/me%3Ftab%3D2")
    assert shown.path == "/account/me?tab=2"


async def test_names_of_providers_are_shown_as_text(browser: Any) -> None:
    page = await browser.open("login")
    assert "Continue with Other &amp; Sons" in page.html


async def test_without_social_sign_in_the_pages_do_not_mention_it(make_browser: Any) -> None:
    browser = await make_browser()
    await browser.account()
    await browser.log_in()
    for page in ("login?done=deleted", "register", "me"):
        shown = await browser.open(page)
        assert shown.status == 200
        assert "oauth" not in shown.html
        assert "Connected accounts" not in shown.html
    assert (await browser.open("oauth-complete?id=x")).status == 404


async def test_loading_the_last_page_again_stays_signed_in(browser: Any) -> None:
    url = (await browser.client.get("/api/auth/oauth/acme/start", follow_redirects=False)).headers["location"]
    params = browser.rs.oauth.providers["acme"].consent(url, person())
    back = await browser.client.get("/api/auth/oauth/acme/callback", params=params, follow_redirects=False)
    for _ in range(2):
        assert (await browser.open(back.headers["location"])).path == "/account/me"
    browser.client.cookies.clear()
    shown = await browser.open(back.headers["location"])
    assert shown.path == "/account/login?error=expired"
    assert "begun in another browser" in shown.alert


async def test_a_new_sign_in_ends_the_session_that_the_browser_had(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    earlier = browser.cookie
    await sign_in(browser, "login?next=/account/me", person("bob"))
    answer = await browser.client.get("/api/auth/me", headers={"Authorization": f"Bearer {earlier}"})
    assert answer.status_code == 401


async def test_a_person_connects_and_disconnects(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    page = await connect(browser, person("somebody.else"))
    assert page.notice == "Connected. You can sign in with it from now on."
    assert "as somebody.else@example.com" in page.html
    assert "Connect Other &amp; Sons" in page.html
    page = await browser.fill(page, "me/disconnect", provider="acme")
    assert page.notice == "Disconnected. It does not sign you in any more."
    page = await browser.post("me/disconnect", {"provider": "acme"})
    assert (page.status, page.alert) == (404, "This account is not linked with this provider.")
    page = await browser.post("me/connect", {"provider": "none"})
    assert (page.status, page.alert) == (404, "There is no such provider.")


async def test_the_last_way_in_stays_and_the_page_says_why(browser: Any) -> None:
    page = await sign_in(browser)
    page = await browser.fill(page, "me/disconnect", provider="acme")
    assert page.status == 400
    assert "only way into the account" in page.alert


async def test_an_unconfirmed_account_is_offered_no_connection(make_browser: Any) -> None:
    browser = await make_browser(enable_oauth=True, oauth_providers=providers(), require_verification=False)
    await browser.register()
    page = await browser.log_in()
    assert "Confirm your email address before" in page.html
    assert "/account/me/connect" not in page.markup.forms
    page = await browser.post("me/connect", {"provider": "acme"})
    assert (page.status, page.alert) == (403, "Confirm your email address first.")


async def test_a_link_that_fails_is_told_on_the_page_of_the_account(browser: Any) -> None:
    await sign_in(browser, who=person("bob"))
    browser.client.cookies.clear()
    await browser.account()
    await browser.log_in()
    page = await connect(browser, person("bob"))
    assert (page.path, page.alert) == ("/account/me?error=already_linked", OAUTH_ERRORS["already_linked"])


@pytest.mark.parametrize("word", sorted({*ERROR_WORDS.values()}))
async def test_each_word_has_its_sentence_and_the_form_stays(browser: Any, word: str) -> None:
    page = await browser.open(f"login?error={word}&next=/welcome")
    assert page.alert == OAUTH_ERRORS[word]
    assert page.title.startswith("Error: ")
    assert page.markup.forms["/account/login"]["next"] == "/welcome"


async def test_a_word_that_nobody_knows_says_nothing(browser: Any) -> None:
    page = await browser.open("login?error=<script>alert(1)</script>")
    assert (page.status, page.alert) == (200, None)
    assert "script" not in page.html
    assert set(OAUTH_ERRORS) == set(ERROR_WORDS.values())


async def test_another_site_cannot_begin_a_connection(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    page = await browser.post("me/connect", {"provider": "acme"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status == 403
    assert (await browser.open("me/connect?provider=acme")).path == "/account/me"
    assert not browser.rs.oauth.providers["acme"]._requests
