from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from regstack import RegStackConfig
from regstack.ui.origin import OwnOrigin

pytestmark = pytest.mark.anyio

FORGED = {
    "nothing says where it comes from": {},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a neighbour on another subdomain": {"Sec-Fetch-Site": "same-site"},
    "an address that was typed in": {"Sec-Fetch-Site": "none"},
    "a word that no browser says": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "an empty word": {"Sec-Fetch-Site": ""},
    "another site with our origin": {"Sec-Fetch-Site": "cross-site", "Origin": "http://app.example"},
    "another origin": {"Origin": "http://evil.example"},
    "another scheme": {"Origin": "https://app.example"},
    "another port": {"Origin": "http://app.example:8080"},
    "a name that begins as ours": {"Origin": "http://app.example.evil.example"},
    "a name that ends as ours": {"Origin": "http://evil-app.example"},
    "our name as user name": {"Origin": "http://app.example@evil.example"},
    "no origin at all": {"Origin": "null"},
    "an empty origin": {"Origin": ""},
    "an origin that cannot be read": {"Origin": "http://[app.example"},
    "a port that cannot be read": {"Origin": "http://app.example:port"},
    "a referrer only": {"Referer": "http://app.example/account/login"},
}

EVERY_FORM = [
    *("register", "verify", "verify/resend", "login", "logout", "forgot", "reset"),
    *("confirm-email-change", "me/name", "me/password", "me/email", "me/delete"),
]


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED.keys())
async def test_a_form_that_another_site_sends_is_refused(browser: Any, headers: dict[str, str]) -> None:
    await browser.account()
    answer = await browser.post(
        "login", {"email": "alice@example.com", "password": "correct horse battery"}, headers=headers
    )
    assert answer.status == 403
    assert "not sent by a page of this site" in answer.alert
    assert "set-cookie" not in answer.answer.headers
    assert (await browser.rs.users.get_by_email("alice@example.com")).last_login is None


@pytest.mark.parametrize("form", EVERY_FORM)
async def test_no_form_is_left_out(browser: Any, form: str) -> None:
    answer = await browser.post(
        form, {"email": "alice@example.com"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status == 403
    assert "content-security-policy" in answer.answer.headers


async def test_the_list_of_forms_is_whole(browser: Any) -> None:
    posts = {
        route.path.removeprefix("/")
        for route in browser.rs.ui_router.routes
        if "POST" in getattr(route, "methods", ())
    }
    assert posts == set(EVERY_FORM)


async def test_a_signed_in_person_cannot_be_signed_out_or_deleted_from_elsewhere(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    for form, entries in {
        "logout": {},
        "me/delete": {"current_password": "correct horse battery", "confirm": "yes"},
        "me/name": {"full_name": "Mallory"},
    }.items():
        assert (await browser.post(form, entries, headers={"Origin": "https://evil.example"})).status == 403
    page = await browser.open("me")
    assert page.status == 200
    assert "Mallory" not in page.html


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://outside.example"},
        {"Origin": "http://app.example"},
        {"Origin": "http://app.example:80"},
        {"Origin": "HTTP://APP.example"},
    ],
)
async def test_a_form_of_our_own_is_taken(browser: Any, headers: dict[str, str]) -> None:
    await browser.account()
    answer = await browser.post(
        "login",
        {"email": "alice@example.com", "password": "correct horse battery"},
        headers=headers,
        follow=False,
    )
    assert answer.status == 303


def has_sent(config: dict[str, Any], scheme: str, headers: list[tuple[str, str]]) -> bool:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    request = Request({"type": "http", "method": "POST", "scheme": scheme, "headers": raw})
    return OwnOrigin(RegStackConfig(database_url="memory://", **config)).has_sent(request)


def test_behind_a_proxy_the_public_address_counts_too() -> None:
    proxied = [("Host", "10.0.0.7:8000"), ("Origin", "https://app.example.com")]
    public = {"base_url": "https://app.example.com"}
    assert has_sent(public | {"behind_proxy": True}, "http", proxied)
    assert has_sent(public, "http", proxied)
    assert not has_sent({"behind_proxy": True, "base_url": "https://other.example.com"}, "http", proxied)
    assert not has_sent(public, "http", [("Host", "10.0.0.7"), ("Origin", "http://app.example.com")])


def test_without_a_proxy_the_default_address_is_nobodys_pass() -> None:
    headers = [("Host", "app.example.com"), ("Origin", "http://localhost:8000")]
    assert not has_sent({}, "http", headers)


def test_two_hosts_or_two_origins_are_none() -> None:
    host, origin = ("Host", "app.example"), ("Origin", "http://app.example")
    assert has_sent({}, "http", [host, origin])
    assert not has_sent({}, "http", [host, host, origin])
    assert not has_sent({}, "http", [host, origin, ("Origin", "http://evil.example")])
    assert not has_sent({}, "http", [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")])


async def test_no_json_route_takes_what_a_form_of_another_site_can_send(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    body = b'{"email": "alice@example.com", "password": "correct horse battery"}'
    for media_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ):
        headers = {"Content-Type": media_type, "Origin": "http://evil.example"}
        for path in ("login", "register", "forgot-password", "change-password", "logout"):
            answer = await browser.client.post(f"/api/auth/{path}", content=body, headers=headers)
            assert answer.status_code in {401, 422}, (media_type, path)
    assert (await browser.open("me")).status == 200
