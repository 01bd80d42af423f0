"""Signing in with an external provider, in a real browser that runs no script.

The provider has another name, so to the browser it is another site: cookies that are
`SameSite=Lax` and the policy for forms act as they do out there.
"""

from __future__ import annotations

from typing import Any

import pytest

PASSWORD = "correct horse battery"


@pytest.mark.parametrize("answer", ["by-redirect", "by-form"])
@pytest.mark.parametrize("host", ["127.0.0.1", "app.test"])
def test_a_person_signs_in_with_a_provider(chromium: Any, start_server: Any, host: str, answer: str) -> None:
    server = start_server(host, provider_host="provider.test")
    chromium.open(f"{server.base_url}/account/login?next=/account/me%3Fcame%3Dback")
    chromium.follow('a[href*="/oauth/acme/start"]')
    assert chromium.url.startswith(f"{server.provider.origin}/authorize?")
    chromium.follow(f"#{answer}")
    assert chromium.url == f"{server.base_url}/account/me?came=back"
    assert "alice@example.com" in chromium.text()
    names = {cookie["name"] for cookie in chromium.cookies() if "device" not in cookie["name"]}
    assert names == {"regstack-account", "regstack-oauth-account"}
    chromium.fill("/logout")


@pytest.mark.parametrize("answer", ["by-redirect", "by-form"])
def test_a_person_connects_a_provider_and_disconnects_it(
    chromium: Any, start_server: Any, answer: str
) -> None:
    server = start_server("app.test", provider_host="provider.test")
    account = f"{server.base_url}/account"
    chromium.open(f"{account}/register")
    chromium.fill("/register", email="somebody@example.com", password=PASSWORD)
    chromium.open(server.link("somebody@example.com"))
    chromium.fill("/verify", password=PASSWORD)

    chromium.fill("/me/connect")
    assert chromium.text(f"#{answer}") == "Allow"
    assert chromium.url.startswith(f"{server.provider.origin}/authorize?")
    chromium.follow(f"#{answer}")
    assert chromium.url == f"{account}/me?done=connected"
    assert "as alice@example.com" in chromium.text("#connections ~ ul")
    chromium.fill("/me/disconnect")
    assert "Disconnected" in chromium.text('[role="status"]')
    chromium.fill("/logout")


def test_an_answer_in_another_browser_s_place_signs_nobody_in(chromium: Any, start_server: Any) -> None:
    server = start_server("app.test", provider_host="provider.test")
    chromium.open(f"{server.base_url}/account/login")
    chromium.follow('a[href*="/oauth/acme/start"]')
    link = chromium.url
    chromium.open(f"{server.base_url}/account/login")
    for cookie in chromium.cookies():
        chromium.forget(cookie["name"])
    chromium.open(link)
    chromium.follow("#by-redirect")
    assert chromium.url == f"{server.base_url}/account/login?error=expired"
    assert "begun in another browser" in chromium.text('[role="alert"]')
