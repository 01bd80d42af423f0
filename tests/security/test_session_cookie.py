"""The cookie of the pages: as narrow as it can be, and nothing but the pages reads it."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


async def test_the_json_interface_never_reads_the_cookie(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    assert browser.cookie
    assert (await browser.client.get("/api/auth/me")).status_code == 401
    assert (await browser.client.post("/api/auth/logout")).status_code == 401


async def test_over_http_the_cookie_is_as_narrow_as_it_can_be(browser: Any) -> None:
    await browser.account()
    entries = {"email": "alice@example.com", "password": PASSWORD}
    answer = await browser.post("login", entries, follow=False)
    name, *attributes = answer.answer.headers.get_list("set-cookie")[0].split("; ")
    assert name.startswith("regstack-account=")
    assert {a.lower() for a in attributes} == {"httponly", "max-age=7200", "path=/", "samesite=lax"}
    assert browser.cookie


@pytest.mark.parametrize(
    "settings",
    [{"base_url": "https://app.example"}, {"base_url": "http://app.example", "behind_proxy": True}],
)
async def test_over_tls_the_cookie_belongs_to_this_host_alone(
    make_browser: Any, settings: dict[str, Any]
) -> None:
    browser = await make_browser(**settings)
    await browser.account()
    entries = {"email": "alice@example.com", "password": PASSWORD}
    answer = await browser.post("login", entries, follow=False)
    name, *attributes = answer.answer.headers.get_list("set-cookie")[0].split("; ")
    assert name.startswith("__Host-regstack-account=")
    assert {a.lower() for a in attributes} == {"httponly", "max-age=7200", "path=/", "samesite=lax", "secure"}
    answer = await browser.post("logout", follow=False)
    name, *attributes = answer.answer.headers.get_list("set-cookie")[0].split("; ")
    assert name == '__Host-regstack-account=""'
    assert {a.lower() for a in attributes} == {"httponly", "max-age=0", "path=/", "samesite=lax", "secure"}


async def test_two_instances_on_one_host_have_cookies_of_their_own(make_browser: Any) -> None:
    one, two = await make_browser(), await make_browser(ui_prefix="/staff/account")
    await two.account()
    answer = await two.post("login", {"email": "alice@example.com", "password": PASSWORD}, follow=False)
    assert answer.answer.headers["set-cookie"].startswith("regstack-staff-account=")
    assert answer.answer.headers["location"] == "/staff/account/me"
    assert one.rs.config.ui_prefix == "/account"


async def test_no_page_shows_the_access_token_or_the_hash(browser: Any) -> None:
    await browser.account()
    page = await browser.log_in()
    user = await browser.rs.users.get_by_email("alice@example.com")
    assert browser.cookie not in page.html
    assert user.hashed_password not in page.html
