"""The main job in a real browser that runs no script."""

from __future__ import annotations

from typing import Any

import pytest

PASSWORD = "correct horse battery"
NEW_PASSWORD = "another long password"
FORGOTTEN = "a third long password"


def session_cookies(chromium: Any) -> list[Any]:
    """The cookies that sign somebody in: all but the one that a browser is known again by."""
    return [cookie for cookie in chromium.cookies() if "device" not in cookie["name"]]


def test_the_browser_runs_no_script(chromium: Any) -> None:
    chromium.open(
        "data:text/html,<main>none ran<script>document.querySelector('main').textContent=1</script>"
    )
    assert chromium.text() == "none ran"


# Chromium says `Sec-Fetch-Site` to the loopback address; to a name without TLS only `Origin`.
@pytest.mark.parametrize("host", ["127.0.0.1", "app.test"])
def test_a_person_does_the_whole_main_job(chromium: Any, start_server: Any, host: str) -> None:
    server = start_server(host)
    account = f"{server.base_url}/account"

    chromium.open(f"{account}/register")
    chromium.fill("/register", full_name="Alice Example", email="alice@example.com", password=PASSWORD)
    assert chromium.url == f"{account}/verify?done=registered"
    assert "Check your mail" in chromium.text()

    chromium.open(server.link("alice@example.com"))
    chromium.fill("/verify", password=PASSWORD)
    assert chromium.url == f"{account}/me?done=verified"

    chromium.fill("/logout")
    chromium.fill("/login", email="alice@example.com", password="wrong password")
    assert "Incorrect email address or password" in chromium.text('[role="alert"]')
    chromium.fill("/login", password=PASSWORD)
    assert chromium.url == f"{account}/me"
    assert "alice@example.com" in chromium.text()
    (cookie,) = session_cookies(chromium)
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")

    chromium.fill("/me/name", full_name="Alice Other")
    assert "Your name is saved" in chromium.text('[role="status"]')
    chromium.fill("/me/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert "Your password is changed" in chromium.text('[role="status"]')
    chromium.fill("/me/email", new_email="alice@example.org", current_password=NEW_PASSWORD)
    assert "sent a link to the new address" in chromium.text('[role="status"]')

    chromium.open(server.link("alice@example.org"))
    chromium.fill("/confirm-email-change", password=NEW_PASSWORD)
    assert chromium.url == f"{account}/login?done=email-changed"
    assert session_cookies(chromium) == []
    chromium.fill("/login", email="alice@example.org", password=NEW_PASSWORD)
    assert "alice@example.org" in chromium.text()

    chromium.fill("/logout")
    assert chromium.url == f"{account}/login?done=signed-out"
    assert session_cookies(chromium) == []
    chromium.follow('a[href="/account/forgot"]')
    chromium.fill("/forgot", email="alice@example.org")
    assert "Check your mail" in chromium.text()
    chromium.open(server.link("alice@example.org"))
    chromium.fill("/reset", new_password=FORGOTTEN)
    assert chromium.url == f"{account}/login?done=reset"
    chromium.fill("/login", email="alice@example.org", password=FORGOTTEN)
    assert chromium.url == f"{account}/me"

    chromium.click("summary")
    chromium.write('form[action$="/me/delete"] [name="current_password"]', FORGOTTEN)
    chromium.click('[name="confirm"]')
    chromium.fill("/me/delete")
    assert chromium.url == f"{account}/login?done=deleted"


def test_a_person_signs_in_with_a_second_factor(chromium: Any, start_server: Any) -> None:
    server = start_server("app.test", enable_sms_2fa=True)
    account, phone = f"{server.base_url}/account", "+41446681800"
    chromium.open(f"{account}/register")
    chromium.fill("/register", email="alice@example.com", password=PASSWORD)
    chromium.open(server.link("alice@example.com"))
    chromium.fill("/verify", password=PASSWORD)

    chromium.fill("/me/phone", phone_number="+41 44 668 18 00", current_password=PASSWORD)
    assert "Write it below" in chromium.text('[role="status"]')
    code = server.texted_code(phone)
    chromium.fill("/me/phone-confirm", code=f"{code[:3]} {code[3:]}")
    assert "ending in …00" in chromium.text()

    chromium.fill("/logout")
    chromium.fill("/login", email="alice@example.com", password=PASSWORD)
    assert chromium.url == f"{account}/mfa-confirm"
    cookies = {cookie["name"]: cookie for cookie in chromium.cookies()}
    assert "regstack-account" not in cookies
    half_finished = cookies["regstack-mfa-account"]
    assert (half_finished["httpOnly"], half_finished["sameSite"]) == (True, "Lax")
    chromium.fill("/mfa-confirm", code="12345x")
    assert "This is not the code that was sent" in chromium.text("#mfa-confirm-code-problem")
    chromium.fill("/mfa-confirm", code=server.texted_code(phone))
    assert chromium.url == f"{account}/me"
    cookies = {cookie["name"]: cookie for cookie in chromium.cookies()}
    assert "regstack-account" in cookies
    assert "regstack-mfa-account" not in cookies

    chromium.click("details:last-of-type summary")
    chromium.fill("/me/phone-remove", current_password=PASSWORD)
    assert "Your phone is removed" in chromium.text('[role="status"]')
    chromium.fill("/logout")
    assert session_cookies(chromium) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "app.test"])
def test_another_site_cannot_sign_anyone_in(chromium: Any, start_server: Any, host: str) -> None:
    server = start_server(host, require_verification=False)
    account = f"{server.base_url}/account"
    chromium.open(f"{account}/register")
    chromium.fill("/register", email="mallory@example.com", password=PASSWORD)

    chromium.open(f"{server.base_url.replace(host, 'evil.test')}/attack")
    chromium.follow("button")
    assert chromium.url == f"{account}/login"
    assert "not sent by a page of this site" in chromium.text()
    assert session_cookies(chromium) == []


def test_the_policy_lets_the_stylesheet_in(chromium: Any, start_server: Any) -> None:
    server = start_server("127.0.0.1")
    chromium.open(f"{server.base_url}/account/login")
    assert chromium.style(".rs-footer", "display") == "flex"
