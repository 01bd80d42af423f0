from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regstack.errors import InvalidToken

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
NEW_PASSWORD = "another long password"


async def test_a_person_does_the_whole_main_job(browser: Any) -> None:
    page = await browser.register(name="  Alice Example ")
    assert page.path == "/account/verify?done=registered"
    assert page.heading == "Check your mail"

    page = await browser.open(await browser.link("alice@example.com"))
    assert page.heading == "Confirm your email address"
    page = await browser.fill(page, "verify", password=PASSWORD)
    assert page.path == "/account/me?done=verified"
    assert "confirmed" in page.notice

    page = await browser.fill(page, "logout")
    page = await browser.fill(page, "login", email="Alice@Example.com", password=PASSWORD)
    assert page.path == "/account/me"
    assert "alice@example.com" in page.html
    assert page.markup.field("name-full_name")["value"] == "Alice Example"
    assert "1 March 2026" in page.html

    page = await browser.fill(page, "me/name", full_name="Alice Other")
    assert page.path == "/account/me?done=name"
    assert page.markup.field("name-full_name")["value"] == "Alice Other"

    before = browser.cookie
    page = await browser.fill(page, "me/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert page.path == "/account/me?done=password"
    assert browser.cookie != before

    page = await browser.fill(page, "me/email", new_email="alice@example.org", current_password=NEW_PASSWORD)
    assert page.path == "/account/me?done=email"
    page = await browser.open(await browser.link("alice@example.org"))
    assert page.heading == "Confirm your new address"
    page = await browser.fill(page, "confirm-email-change", password="a wrong one")
    assert page.status == 400
    assert "not the password of the account" in page.problem("confirm-email-change-password")
    page = await browser.fill(page, "confirm-email-change", password=NEW_PASSWORD)
    assert page.path == "/account/login?done=email-changed"
    assert browser.cookie is None

    page = await browser.fill(page, "login", email="alice@example.org", password=NEW_PASSWORD)
    assert page.path == "/account/me"
    page = await browser.fill(page, "logout")
    assert page.path == "/account/login?done=signed-out"
    assert browser.cookie is None

    page = await browser.fill(await browser.open("forgot"), "forgot", email="alice@example.org")
    assert page.heading == "Check your mail"
    page = await browser.open(await browser.link("alice@example.org"))
    page = await browser.fill(page, "reset", new_password=PASSWORD)
    assert page.path == "/account/login?done=reset"
    page = await browser.fill(page, "login", email="alice@example.org", password=PASSWORD)
    assert page.path == "/account/me"

    page = await browser.fill(page, "me/delete", current_password=PASSWORD, confirm="yes")
    assert page.path == "/account/login?done=deleted"
    assert await browser.rs.users.count() == 0


async def test_without_verification_a_registration_leads_to_the_sign_in(make_browser: Any) -> None:
    browser = await make_browser(require_verification=False)
    page = await browser.register()
    assert page.path == "/account/login?done=registered"
    assert (await browser.log_in()).path == "/account/me"


@pytest.mark.parametrize("page", ["verify", "reset", "confirm-email-change"])
async def test_opening_a_mailed_link_changes_nothing(browser: Any, page: str) -> None:
    await browser.register()
    if page == "verify":
        link = await browser.link("alice@example.com")
    else:
        me = await browser.open(await browser.link("alice@example.com"))
        me = await browser.fill(me, "verify", password=PASSWORD)
        if page == "reset":
            await browser.post("forgot", {"email": "alice@example.com"})
            link = await browser.link("alice@example.com")
        else:
            await browser.fill(me, "me/email", new_email="bob@example.com", current_password=PASSWORD)
            link = await browser.link("bob@example.com")
    assert f"/account/{page}?token=" in link
    users = [await browser.rs.users.get_by_email(f"{name}@example.com") for name in ("alice", "bob")]
    for _ in range(3):
        opened = await browser.open(link)
        assert opened.status == 200
        assert page in str(opened.markup.forms)
        assert "set-cookie" not in opened.answer.headers
    assert users == [await browser.rs.users.get_by_email(f"{name}@example.com") for name in ("alice", "bob")]
    entries = {"new_password": NEW_PASSWORD} if page == "reset" else {"password": PASSWORD}
    done = await browser.fill(opened, page, **entries)
    assert done.status == 200, "the link is still good"


async def test_a_used_verification_link_says_so_and_offers_another(browser: Any) -> None:
    await browser.account()
    used = await browser.link("alice@example.com")
    page = await browser.fill(await browser.open(used), "verify", password=PASSWORD)
    assert page.status == 400
    assert "invalid or has expired" in page.alert
    assert "/account/verify/resend" in page.markup.forms
    assert "/account/verify" not in page.markup.forms


async def test_confirming_ends_the_session_that_the_browser_had(browser: Any) -> None:
    await browser.account("bob@example.com")
    await browser.log_in("bob@example.com")
    of_bob = browser.cookie
    await browser.register()
    page = await browser.fill(await browser.open(await browser.link("alice@example.com")), "verify",
                              password=PASSWORD)  # fmt: skip
    assert page.path == "/account/me?done=verified"
    assert browser.cookie != of_bob
    with pytest.raises(InvalidToken):
        await browser.rs.services.sessions.recognise(of_bob)


async def test_an_expired_verification_link_is_replaced_by_a_new_one(browser: Any) -> None:
    await browser.register()
    old = await browser.open(await browser.link("alice@example.com"))
    browser.clock.advance(timedelta(hours=23))
    page = await browser.open("verify")
    page = await browser.fill(page, "verify/resend", email="alice@example.com")
    assert page.path == "/account/verify?done=sent"
    new = await browser.open(await browser.link("alice@example.com"))
    browser.clock.advance(timedelta(hours=2))
    assert (await browser.fill(old, "verify", password=PASSWORD)).status == 400
    page = await browser.fill(new, "verify", password=PASSWORD)
    assert page.path == "/account/me?done=verified"


async def test_whoever_did_not_register_cannot_confirm_by_the_page(browser: Any) -> None:
    await browser.register()
    opened = await browser.open(await browser.link("alice@example.com"))
    page = await browser.fill(opened, "verify", password="what the owner guesses")
    assert page.status == 400
    assert "not the password that was chosen" in page.html
    assert await browser.rs.users.count() == 0
    page = await browser.fill(page, "verify", password=PASSWORD)
    assert page.path == "/account/me?done=verified", "the link is still good"


async def test_an_expired_reset_link_offers_a_new_one(browser: Any) -> None:
    await browser.account()
    await browser.post("forgot", {"email": "alice@example.com"})
    page = await browser.open(await browser.link("alice@example.com"))
    browser.clock.advance(timedelta(seconds=1800))
    page = await browser.fill(page, "reset", new_password=NEW_PASSWORD)
    assert page.status == 400
    assert "invalid or has expired" in page.alert
    assert 'href="/account/forgot"' in page.html
    assert "/account/reset" not in page.markup.forms


async def test_a_rejected_password_leaves_the_reset_form_usable(browser: Any) -> None:
    await browser.account()
    await browser.post("forgot", {"email": "alice@example.com"})
    page = await browser.open(await browser.link("alice@example.com"))
    page = await browser.fill(page, "reset", new_password="password123")
    assert page.status == 422
    assert "most common" in page.problem("reset-new_password")
    page = await browser.fill(page, "reset", new_password=NEW_PASSWORD)
    assert page.path == "/account/login?done=reset"


async def test_an_address_that_was_taken_meanwhile_is_explained(browser: Any) -> None:
    await browser.account()
    me = await browser.log_in()
    await browser.fill(me, "me/email", new_email="bob@example.com", current_password=PASSWORD)
    link = await browser.link("bob@example.com")
    await browser.account("bob@example.com")
    page = await browser.fill(await browser.open(link), "confirm-email-change", password=PASSWORD)
    assert page.status == 409
    assert "already exists" in page.alert
    assert "Nothing was changed" in page.html


@pytest.mark.parametrize("page", ["reset", "confirm-email-change"])
@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=%3Cb%3E", "?token=" + "a" * 300, "?token=a&token=b"]
)
async def test_a_link_that_lost_its_end_is_explained(browser: Any, page: str, query: str) -> None:
    answer = await browser.open(page + query)
    assert answer.status == 400
    assert answer.alert
    assert browser.url(page) not in answer.markup.forms
    assert "<b>" not in answer.html


async def test_a_pending_person_is_told_how_to_go_on(browser: Any) -> None:
    await browser.register()
    page = await browser.log_in()
    assert page.status == 403
    assert page.alert == "Confirm your email address first."
    assert 'href="/account/verify"' in page.html
    assert page.markup.field("login-email")["value"] == "alice@example.com"


async def test_whoever_is_not_signed_in_is_sent_to_sign_in(browser: Any) -> None:
    for page in (await browser.open("me"), await browser.post("me/name", {"full_name": "x"})):
        assert page.path == "/account/login?done=sign-in"
        assert page.notice == "Sign in to go on."


async def test_a_session_that_was_ended_elsewhere_is_over_here(browser: Any) -> None:
    await browser.account()
    page = await browser.log_in()
    token = browser.cookie
    answer = await browser.client.post("/api/auth/logout", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    page = await browser.fill(page, "me/name", full_name="x")
    assert page.path == "/account/login?done=sign-in"
    assert browser.cookie is None


async def test_signing_out_twice_is_no_error(browser: Any) -> None:
    page = await browser.post("logout")
    assert page.path == "/account/login?done=signed-out"


async def test_signing_out_kills_the_token(browser: Any) -> None:
    await browser.account()
    page = await browser.log_in()
    token = browser.cookie
    await browser.fill(page, "logout")
    answer = await browser.client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


async def test_signing_in_again_ends_the_session_that_the_browser_had(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    earlier = browser.cookie
    page = await browser.open("login?next=/dashboard")
    await browser.fill(page, "login", email="alice@example.com", password=PASSWORD)
    assert browser.cookie not in (None, earlier)
    answer = await browser.client.get("/api/auth/me", headers={"Authorization": f"Bearer {earlier}"})
    assert answer.status_code == 401


async def test_whoever_is_signed_in_already_goes_straight_to_the_account(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    assert (await browser.open("login")).path == "/account/me"
    assert (await browser.open("logout")).path == "/account/me"
    assert (await browser.open("me/password")).path == "/account/me"


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/dashboard?tab=1", "/dashboard?tab=1"),
        ("//evil.example", "/account/me"),
        ("/\\evil.example", "/account/me"),
        ("https://evil.example/", "/account/me"),
        ("/%2fevil.example", "/account/me"),
        ("/a\r\nSet-Cookie: b=c", "/account/me"),
    ],
)
async def test_after_a_sign_in_nobody_leaves_the_site(browser: Any, wanted: str, reached: str) -> None:
    await browser.account()
    entries = {"email": "alice@example.com", "password": PASSWORD, "next": wanted}
    answer = await browser.post("login", entries, follow=False)
    assert (answer.status, answer.answer.headers["location"]) == (303, reached)


async def test_the_wanted_page_survives_a_wrong_password(browser: Any) -> None:
    await browser.account()
    page = await browser.open("login?next=/dashboard")
    page = await browser.fill(page, "login", email="alice@example.com", password="wrong")
    assert page.status == 401
    form = page.markup.forms["/account/login"]
    assert form["next"] == "/dashboard"
    page = await browser.open("login?next=//evil.example")
    assert "evil.example" not in page.html
