from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
PHONE = "+41446681800"


@pytest.fixture
async def browser(make_browser: Any) -> Any:
    """A browser in front of an application that offers the second factor."""
    return await make_browser(enable_sms_2fa=True)


async def texted_code(browser: Any) -> str:
    assert await browser.rs.drain()
    return str(browser.rs.sms.outbox[-1].text.split()[0])


async def add_phone(browser: Any) -> Any:
    page = await browser.fill(
        await browser.open("me"), "me/phone", phone_number=PHONE, current_password=PASSWORD
    )
    return await browser.fill(page, "me/phone-confirm", code=await texted_code(browser))


async def account_with_phone(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    await add_phone(browser)
    await browser.post("logout")


def cookies(browser: Any) -> set[str]:
    return set(browser.client.cookies.keys()) - {"regstack-device-account"}


async def test_a_person_sets_a_phone_up_signs_in_with_it_and_removes_it(browser: Any) -> None:
    await browser.account()
    page = await browser.log_in()
    assert "/account/me/phone-remove" not in page.markup.forms
    assert page.markup.field("phone-phone_number")["type"] == "tel"
    page = await browser.fill(page, "me/phone", phone_number="+41 44 668 18 00", current_password=PASSWORD)
    assert page.path == "/account/me?done=phone-code"
    assert "regstack-phone-account" in cookies(browser)

    code = await texted_code(browser)
    page = await browser.fill(page, "me/phone-confirm", code=f" {code[:3]} {code[3:]} ")
    assert page.path == "/account/me?done=phone"
    assert "code from your phone" in page.notice
    assert "ending in …00" in page.html
    assert PHONE not in page.html
    assert "/account/me/phone-confirm" not in page.markup.forms
    assert cookies(browser) == {"regstack-account"}

    await browser.fill(page, "logout")
    page = await browser.log_in()
    assert page.path == "/account/mfa-confirm"
    assert page.heading == "Look at your phone"
    assert "…00" in page.html
    assert PHONE not in page.html
    assert browser.cookie is None
    page = await browser.fill(page, "mfa-confirm", code=await texted_code(browser))
    assert page.path == "/account/me"
    assert cookies(browser) == {"regstack-account"}

    page = await browser.fill(page, "me/phone-remove", current_password=PASSWORD)
    assert page.path == "/account/me?done=phone-removed"
    await browser.fill(page, "logout")
    assert (await browser.log_in()).path == "/account/me"


async def test_the_field_for_a_code_is_one_that_phones_fill_in(browser: Any) -> None:
    await account_with_phone(browser)
    page = await browser.log_in()
    field = page.markup.field("mfa-confirm-code")
    assert (field["autocomplete"], field["inputmode"], field["type"]) == ("one-time-code", "numeric", "text")
    assert "autofocus" in field
    assert not page.markup.all("script")


async def test_what_is_half_finished_is_in_a_cookie_for_its_time_and_in_no_address(browser: Any) -> None:
    await account_with_phone(browser)
    entries = {"email": "alice@example.com", "password": PASSWORD, "next": "/reports?year=2026"}
    answer = (await browser.post("login", entries, follow=False)).answer
    (cookie,) = answer.headers.get_list("set-cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("regstack-mfa-account=")
    assert {a.lower() for a in attributes} == {"httponly", "max-age=600", "path=/", "samesite=lax"}
    assert answer.headers["location"] == "/account/mfa-confirm?next=%2Freports%3Fyear%3D2026"
    page = await browser.open(answer.headers["location"])
    assert name.partition("=")[2] not in page.html
    page = await browser.post(
        "mfa-confirm", page.markup.forms["/account/mfa-confirm"] | {"code": await texted_code(browser)},
        follow=False,
    )  # fmt: skip
    assert page.answer.headers["location"] == "/reports?year=2026"


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_nobody_is_sent_to_another_site_after_the_code(browser: Any, path: str) -> None:
    await account_with_phone(browser)
    await browser.log_in()
    page = await browser.open(f"/account/mfa-confirm?next={path}")
    assert "evil" not in page.html
    entries = {"code": await texted_code(browser), "next": path}
    page = await browser.post("mfa-confirm", entries, follow=False)
    assert page.answer.headers["location"] == "/account/me"


async def test_a_wrong_code_is_told_at_its_field_and_may_be_corrected(browser: Any) -> None:
    await account_with_phone(browser)
    page = await browser.log_in()
    page = await browser.fill(page, "mfa-confirm", code="12345x")
    assert page.status == 400
    assert page.problem("mfa-confirm-code") == "Error: This is not the code that was sent."
    assert page.markup.field("mfa-confirm-code")["value"] == ""
    page = await browser.fill(page, "mfa-confirm", code="")
    assert page.status == 422
    page = await browser.fill(page, "mfa-confirm", code=await texted_code(browser))
    assert page.path == "/account/me"


async def test_a_sign_in_that_cannot_be_finished_leads_back_to_the_password(browser: Any) -> None:
    await account_with_phone(browser)
    page = await browser.log_in()
    code = await texted_code(browser)
    browser.clock.advance(timedelta(seconds=300))
    page = await browser.fill(page, "mfa-confirm", code=code)
    assert page.path == "/account/login?done=code-over"
    assert "Sign in again" in page.notice
    assert cookies(browser) == set()
    assert (await browser.open("mfa-confirm")).path == "/account/login?done=code-over"
    page = await browser.post("mfa-confirm", {"code": code})
    assert page.path == "/account/login?done=code-over"


async def test_too_many_wrong_codes_are_explained(browser: Any) -> None:
    await account_with_phone(browser)
    page = await browser.log_in()
    for _ in range(4):
        page = await browser.fill(page, "mfa-confirm", code="12345x")
    page = await browser.fill(page, "mfa-confirm", code="12345x")
    assert page.path == "/account/login?done=code-over"


async def test_signing_out_forgets_what_was_half_finished(browser: Any) -> None:
    await account_with_phone(browser)
    await browser.log_in()
    assert cookies(browser) == {"regstack-mfa-account"}
    await browser.post("logout")
    assert cookies(browser) == set()


async def test_the_session_that_a_browser_had_ends_once_the_code_was_right(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    await add_phone(browser)
    earlier = browser.cookie
    page = await browser.post("login", {"email": "alice@example.com", "password": PASSWORD})
    assert browser.cookie == earlier
    await browser.fill(page, "mfa-confirm", code=await texted_code(browser))
    headers = {"Authorization": f"Bearer {earlier}"}
    assert (await browser.client.get("/api/auth/me", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("entries", "field", "told"),
    [
        ({"phone_number": "044 668 18 00", "current_password": PASSWORD}, "phone_number", "country code"),
        ({"phone_number": PHONE, "current_password": "wrong one"}, "current_password", "incorrect"),
        ({"phone_number": "", "current_password": PASSWORD}, "phone_number", "Fill this in"),
    ],
)
async def test_what_is_wrong_with_a_phone_is_told_at_its_field(
    browser: Any, entries: dict[str, str], field: str, told: str
) -> None:
    await browser.account()
    page = await browser.fill(await browser.log_in(), "me/phone", **entries)
    assert page.status in {400, 422}
    assert told in page.problem(f"phone-{field}")
    assert page.markup.field("phone-phone_number")["value"] == entries["phone_number"]
    assert await browser.rs.drain()
    assert browser.rs.sms.outbox == []


async def test_a_phone_set_up_that_cannot_be_finished_begins_anew(browser: Any) -> None:
    await browser.account()
    page = await browser.fill(
        await browser.log_in(), "me/phone", phone_number=PHONE, current_password=PASSWORD
    )
    wrong = await browser.fill(page, "me/phone-confirm", code="12345x")
    assert wrong.problem("phone-confirm-code")
    browser.clock.advance(timedelta(seconds=300))
    page = await browser.fill(page, "me/phone-confirm", code=await texted_code(browser))
    assert page.path == "/account/me?done=phone-over"
    assert "/account/me/phone-confirm" not in page.markup.forms
    assert (await add_phone(browser)).path == "/account/me?done=phone"


async def test_without_the_switch_the_pages_do_not_mention_it(make_browser: Any) -> None:
    browser = await make_browser()
    await browser.account()
    page = await browser.log_in()
    assert "/account/me/phone" not in page.markup.forms
    assert "text message" not in page.html
    assert (await browser.open("mfa-confirm")).status == 404
    assert (await browser.post("me/phone", {})).status in {404, 405}


async def test_switched_off_the_sign_in_says_why_it_is_refused(browser: Any) -> None:
    await account_with_phone(browser)
    browser.rs.services.login._second_factor = None
    page = await browser.log_in()
    assert page.status == 403
    assert "switched off here" in page.alert


@pytest.mark.parametrize("page", ["mfa-confirm", "me/phone", "me/phone-confirm", "me/phone-remove"])
async def test_another_site_cannot_send_these_forms(browser: Any, page: str) -> None:
    answer = await browser.post(page, {"code": "1"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
