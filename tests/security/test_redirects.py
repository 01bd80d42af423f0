"""A sign-in leads to this site and nowhere else, however the way out is spelt."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regstack.auth.redirects import local_path

ELSEWHERE = [
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "HTTPS:evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\x00/evil.example",
    "/\x0b/evil.example",
    "/\x7f/evil.example",
    "/\x85/evil.example",
    "/\u2028/evil.example",
    "/%2f/evil.example",
    "/%2F%2Fevil.example",
    "/%2fevil.example",
    "%2f%2fevil.example",
    "/%5cevil.example",
    "/%5C%5Cevil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d%0aSet-Cookie:%20a=b",
    "/%00/evil.example",
    "/%252f%252fevil.example",
    "/%25252f%25252fevil.example",
    "/%255cevil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/a/..//evil.example",
    "/%2e//evil.example",
    "/%2e%2e/%2fevil.example",
    "/a//evil.example",
    "/a/../../evil.example",
    "/;//evil.example",
    "/?\r\nSet-Cookie: a=b",
    "/?next=\\evil.example",
    "/#\t",
    "/\uff0f\uff0fevil.example",
    "/\u2215evil.example",
    "/caf\u00e9",
    "/\ud800",
    "javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    ":80",
    "?next=/",
    "#me",
    "",
    "me",
    "./me",
    "../me",
    "/" + "a" * 3000,
]

LOCAL = [
    "/",
    "/dashboard",
    "/account/me",
    "/a/b/c.html",
    "/search?q=a%20b&page=2",
    "/search?u=https%3A%2F%2Fexample.org%2Fx",
    "/search?u=https://example.org/x",
    "/caf%C3%A9",
    "/a%20b",
    "/~alice/@home:1",
    "/me#password",
    "/me/",
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_what_leads_elsewhere_is_refused(text: str) -> None:
    assert local_path(text) is None


@pytest.mark.parametrize("text", LOCAL)
def test_a_local_path_is_kept_as_it_is(text: str) -> None:
    assert local_path(text) == text


def test_no_path_is_no_path() -> None:
    assert local_path(None) is None


@given(st.text(alphabet=string.printable + "\\/%\x00\x85\u2028\uff0f", max_size=40))
def test_what_is_let_through_stays_on_the_site_however_often_it_is_decoded(text: str) -> None:
    path = local_path("/" + text)
    if path is None:
        return
    for form in (path, quote(path, safe="/%?#=&")):
        target = urlsplit(urljoin("https://app.example/account/login", form))
        assert (target.scheme, target.netloc) == ("https", "app.example")
        assert not target.path.startswith("//")


@pytest.mark.anyio
async def test_no_sign_in_page_carries_a_way_out(browser: Any) -> None:
    for text in ELSEWHERE:
        try:
            query = quote(text, safe="")
        except UnicodeEncodeError:
            continue  # no URL can say it
        page = await browser.open(f"login?next={query}")
        assert page.status == 200, text
        assert not page.markup.forms["/account/login"].get("next"), text
    page = await browser.open("login?next=/dashboard")
    assert page.markup.forms["/account/login"]["next"] == "/dashboard"


@pytest.mark.anyio
async def test_no_sign_in_leads_elsewhere(browser: Any) -> None:
    await browser.account()
    entries = {"email": "alice@example.com", "password": "correct horse battery"}
    for text in ELSEWHERE:
        try:
            answer = await browser.post("login", entries | {"next": text}, follow=False)
        except UnicodeEncodeError:
            continue
        location = answer.answer.headers.get("location")
        assert (answer.status, location) in {(303, "/account/me"), (400, None)}, text
    answer = await browser.post("login", entries | {"next": "/dashboard?a=b"}, follow=False)
    assert answer.answer.headers["location"] == "/dashboard?a=b"
