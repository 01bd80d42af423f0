from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

import pytest

from regstack.errors import BackendUnavailable, Overloaded
from regstack.ui.forms import ERROR_WORDS, LOGIN, FormState
from regstack.ui.site import SHIPPED

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
NEW_PASSWORD = "another long password"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}

OPEN_PAGES = ["login", "register", "forgot", "reset", "verify", "confirm-email-change"]


async def test_what_was_entered_stays_but_never_a_password(browser: Any) -> None:
    entries = {"full_name": "Alice <b>", "email": "not an address", "password": PASSWORD}
    page = await browser.post("register", entries)
    assert page.status == 422
    assert page.markup.field("register-full_name")["value"] == "Alice <b>"
    assert page.markup.field("register-email")["value"] == "not an address"
    assert page.problem("register-email")
    assert "<b>" not in page.html
    assert PASSWORD not in page.html
    assert page.title.startswith("Error: ")


async def test_every_wrong_field_is_named_and_tied_to_its_message(browser: Any) -> None:
    page = await browser.post("register", {"full_name": "x" * 201, "email": "", "password": "short"})
    assert page.status == 422
    assert "Fill this in." in page.problem("register-email")
    assert "at least 8" in page.problem("register-password")
    assert "at most 200" in page.problem("register-full_name")
    for name in ("email", "password", "full_name"):
        field = page.markup.field(f"register-{name}")
        assert field["aria-invalid"] == "true"
        assert f"register-{name}-problem" in field["aria-describedby"].split()
    assert page.html.count("autofocus") == 1
    assert page.alert == "Look at the marked fields."


async def test_a_known_address_is_refused_at_its_field(browser: Any) -> None:
    await browser.account()
    page = await browser.register()
    assert page.status == 409
    assert "already exists" in page.problem("register-email")


async def test_a_wrong_password_and_an_unknown_address_look_alike(browser: Any) -> None:
    await browser.account()
    known = await browser.post("login", {"email": "alice@example.com", "password": "wrong"})
    unknown = await browser.post("login", {"email": "nobody@example.com", "password": "wrong"})
    invalid = await browser.post("login", {"email": "nobody", "password": "wrong"})
    assert (known.status, known.alert) == (401, "Incorrect email address or password.")
    for other, email in ((unknown, "nobody@example.com"), (invalid, "nobody")):
        assert other.status == 401
        assert other.html.replace(f'"{email}"', '"alice@example.com"') == known.html
        assert "www-authenticate" not in other.answer.headers


async def test_an_address_that_is_not_confirmed_is_told_where_to_ask_for_the_mail(browser: Any) -> None:
    await browser.account()
    user = await browser.rs.users.get_by_email("alice@example.com")
    await browser.rs.users.set_flags(user.id, is_verified=False)
    page = await browser.log_in()
    assert (page.status, page.alert) == (403, "Confirm your email address first.")
    assert 'href="/account/verify">ask for a new one' in page.html
    assert "ask for a new one" not in (await browser.open("login")).html


def test_every_word_for_an_error_is_one_that_a_template_compares_and_the_other_way_round() -> None:
    compared = [
        word
        for template in SHIPPED.rglob("*.html")
        for word in re.findall(r"""\.error\s*[!=]=\s*["']([^"']*)["']""", template.read_text("utf-8"))
    ]
    assert set(compared) == set(ERROR_WORDS.values())


@pytest.mark.parametrize("form", ["forgot", "verify/resend"])
async def test_asking_for_mail_shows_the_same_page_to_everyone(browser: Any, form: str) -> None:
    await browser.account()
    await browser.register("pending@example.com")
    answers = [
        await browser.post(form, {"email": email}, follow=False)
        for email in ("alice@example.com", "pending@example.com", "nobody@example.com", "no address")
    ]
    assert {(answer.status, answer.answer.headers["location"]) for answer in answers} == {
        (303, f"/account/{form.partition('/')[0]}?done=sent")
    }


async def test_quiet_registration_shows_the_same_page_to_everyone(make_browser: Any) -> None:
    browser = await make_browser(quiet_registration=True)
    await browser.account()
    again, new = await browser.register(), await browser.register("bob@example.com")
    assert again.path == new.path == "/account/verify?done=registered"
    assert again.html == new.html


@pytest.mark.parametrize(
    ("form", "entries"),
    [
        ("me/password", {"new_password": NEW_PASSWORD}),
        ("me/email", {"new_email": "bob@example.com"}),
        ("me/delete", {"confirm": "yes"}),
    ],
)
async def test_a_wrong_current_password_is_refused_at_its_field(
    browser: Any, form: str, entries: dict[str, str]
) -> None:
    await browser.account()
    page = await browser.fill(await browser.log_in(), form, current_password="wrong one", **entries)
    assert page.status == 400
    assert "incorrect" in page.problem(f"{form.partition('/')[2]}-current_password")
    assert "wrong one" not in page.html
    assert NEW_PASSWORD not in page.html
    if form == "me/email":
        assert page.markup.field("email-new_email")["value"] == "bob@example.com"
    assert (await browser.open("me")).status == 200


async def test_an_account_is_deleted_only_with_the_box_ticked(browser: Any) -> None:
    await browser.account()
    page = await browser.fill(await browser.log_in(), "me/delete", current_password=PASSWORD)
    assert page.status == 422
    assert "Tick the box" in page.problem("delete-confirm")
    assert ("details", {"open": None}) in page.markup.elements
    assert await browser.rs.users.count() == 1


async def test_the_last_administrator_is_told_why_not(browser: Any) -> None:
    await browser.rs.bootstrap_admin("root@example.com", PASSWORD)
    me = await browser.log_in("root@example.com")
    page = await browser.fill(me, "me/delete", current_password=PASSWORD, confirm="yes")
    assert page.status == 409
    assert "last active superuser" in page.alert
    assert browser.cookie


async def test_too_many_guesses_are_stopped_and_say_how_long(browser: Any) -> None:
    await browser.account()
    for _ in range(5):
        assert (await browser.log_in(password="wrong")).status == 401
    browser.clock.advance(timedelta(minutes=5))
    page = await browser.log_in()
    assert page.status == 429
    assert page.alert == "Too many attempts. Try again in 10 minutes."
    assert page.answer.headers["retry-after"] == "600"
    assert page.markup.field("login-email")["value"] == "alice@example.com"


async def test_a_busy_server_says_so_in_the_form(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> None:
        raise Overloaded(timedelta(seconds=3))

    monkeypatch.setattr(browser.rs.password_hasher, "verify", refuse)
    page = await browser.log_in()
    assert page.status == 503
    assert page.answer.headers["retry-after"] == "3"
    assert page.alert == "Too busy; try again in a moment."


async def test_a_database_that_is_away_is_a_page_and_no_secret(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise BackendUnavailable("cannot reach db.internal:5432")

    await browser.account()
    await browser.log_in()
    monkeypatch.setattr(browser.rs.users, "get_token_subject", refuse)
    monkeypatch.setattr(browser.rs.users, "find_login_subject", refuse)
    pages = [
        await browser.open("me"),
        await browser.post("me/name", {"full_name": "x"}),
        await browser.post("logout"),
        await browser.post("login", {"email": "alice@example.com", "password": PASSWORD}),
    ]
    for page in pages:
        assert page.status == 503
        assert page.answer.headers["retry-after"]
        assert "set-cookie" not in page.answer.headers
        assert "unavailable" in page.alert
        assert "db.internal" not in page.html


async def test_every_answer_forbids_what_pages_never_need(browser: Any) -> None:
    await browser.account()
    answers = [await browser.open(page, follow=False) for page in OPEN_PAGES]
    answers.append(await browser.post("login", {"email": "a@b.example", "password": "wrong"}))
    answers.append(await browser.post("login", content=b"{}", headers={"Sec-Fetch-Site": "same-origin"}))
    answers.append(await browser.open("me", follow=False))
    answers.append(await browser.log_in())
    answers.append(await browser.post("logout", follow=False))
    for page in answers:
        headers = page.answer.headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "strict-origin"
        assert headers["cache-control"] == "no-store"


async def test_no_page_has_a_script_or_a_style_of_its_own(browser: Any) -> None:
    await browser.account()
    for page in [await browser.open(name) for name in OPEN_PAGES] + [await browser.log_in()]:
        assert not page.markup.all("script")
        assert not page.markup.all("style")
        for _, attributes in page.markup.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "style"]


async def test_every_page_is_well_marked_up(browser: Any) -> None:
    await browser.account()
    link = await browser.link("alice@example.com")
    token = link.partition("?")[2]
    pages = [await browser.open(f"{name}?{token}") for name in OPEN_PAGES] + [await browser.log_in()]
    for page in pages:
        markup = page.markup
        assert markup.all("html")[0]["lang"] == "en"
        assert len(markup.all("h1")) == 1
        assert page.title == f"{page.heading} – RegStack"
        ids = [attributes["id"] for _, attributes in markup.elements if attributes.get("id")]
        assert len(ids) == len(set(ids))
        labels = {attributes["for"] for attributes in markup.all("label")}
        for field in markup.all("input"):
            if field.get("type") == "hidden" or "hidden" in field:
                continue
            assert field["id"] in labels
            assert field.get("type") == "checkbox" or field["autocomplete"]
            for target in (field.get("aria-describedby") or "").split():
                assert target in ids
        for form in markup.all("form"):
            assert form["method"] == "post"
            assert form["action"].startswith("/account/")


async def test_password_managers_know_every_field(browser: Any) -> None:
    await browser.account()
    me = await browser.log_in()
    register, login = await browser.open("register"), await browser.open("login?next=/")
    reset = await browser.open("reset?token=abc")
    for page, field, autocomplete in [
        (register, "register-full_name", "name"),
        (register, "register-email", "username"),
        (register, "register-password", "new-password"),
        (login, "login-email", "username"),
        (login, "login-password", "current-password"),
        (reset, "reset-new_password", "new-password"),
        (me, "name-full_name", "name"),
        (me, "password-current_password", "current-password"),
        (me, "password-new_password", "new-password"),
        (me, "email-new_email", "email"),
        (me, "delete-current_password", "current-password"),
    ]:
        assert page.markup.field(field)["autocomplete"] == autocomplete, field


async def test_the_token_of_a_link_stands_in_the_hidden_field_alone(browser: Any) -> None:
    for page in ("verify", "reset", "confirm-email-change"):
        answer = await browser.open(f"{page}?token=SomeTokenOfAMail")
        assert answer.html.count("SomeTokenOfAMail") == 1
        assert answer.markup.forms[f"/account/{page}"]["token"] == "SomeTokenOfAMail"
    for page in ("login", "register", "forgot"):
        assert "SomeTokenOfAMail" not in (await browser.open(f"{page}?token=SomeTokenOfAMail")).html


async def test_nothing_secret_is_logged(browser: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await browser.account()
    link = await browser.link("alice@example.com")
    page = await browser.log_in()
    secrets = [browser.cookie, PASSWORD, NEW_PASSWORD, link.partition("token=")[2]]
    await browser.fill(page, "me/password", current_password="a wrong one", new_password=NEW_PASSWORD)
    await browser.post("login", {"password": PASSWORD}, headers={"Origin": "http://evil.example"})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("regstack")]
    assert ours
    for secret in [*secrets, "a wrong one"]:
        assert not [message for message in ours if secret in message]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"email=a%ff&password=b", 400),
        (b"email=\xff&password=b", 400),
        (b"email=%ED%A0%80&password=b", 400),
        (b"email=a%00b&password=b", 400),
        (b"email=a&email=b&password=c", 400),
        (b"&".join(b"f%d=" % number for number in range(21)), 400),
        (b"a=" + b"x" * 65536, 413),
        (b"", 422),
        (b"=", 422),
        (b"email&password", 422),
        (b"email=" + b"a" * 5000 + b"&password=b", 422),
        (b"email=a%40b.example&password=" + b"x" * 129, 422),
    ],
)
async def test_hostile_bodies_get_a_page_at_once(browser: Any, body: bytes, status: int) -> None:
    page = await browser.post("login", content=body, headers=FORM)
    assert page.status == status
    assert page.alert


@pytest.mark.parametrize(
    "media_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""]
)
async def test_only_forms_are_read(browser: Any, media_type: str) -> None:
    headers = FORM | {"Content-Type": media_type}
    assert (await browser.post("login", content=b"email=a&password=b", headers=headers)).status == 415


async def test_what_registration_closed_means_is_a_page(make_browser: Any) -> None:
    browser = await make_browser(allow_registration=False)
    for page in (await browser.open("register"), await browser.post("register", {"email": "a@b.example"})):
        assert page.status == 403
        assert page.alert == "Registration is closed."
    assert "/account/register" not in (await browser.open("login")).html


async def test_without_password_reset_there_is_no_page_and_no_link(make_browser: Any) -> None:
    browser = await make_browser(enable_password_reset=False)
    for name in ("forgot", "reset"):
        assert (await browser.open(name)).status == 404
        assert (await browser.post(name, {"email": "a@b.example"})).status == 404
    for name in ("login", "register", "verify"):
        html = (await browser.open(name)).html
        assert "/account/forgot" not in html
        assert "/account/reset" not in html


async def test_without_account_deletion_there_is_no_form(make_browser: Any) -> None:
    browser = await make_browser(enable_account_deletion=False)
    await browser.account()
    page = await browser.log_in()
    assert "/account/me/delete" not in page.html
    entries = {"current_password": PASSWORD, "confirm": "yes"}
    assert (await browser.post("me/delete", entries)).status == 404
    assert await browser.rs.users.count() == 1


async def test_an_account_without_a_password_is_told_how_to_get_one(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    user = await browser.rs.users.get_by_email("alice@example.com")
    cleared = await browser.rs.users.set_password(user.id, None, token_version=user.token_version)
    assert cleared is not None
    browser.client.cookies.clear()
    browser.client.cookies.set("regstack-account", browser.rs.services.sessions.issue(cleared).text)
    page = await browser.open("me")
    assert page.status == 200
    assert "no password yet" in page.html
    assert 'href="/account/forgot"' in page.html
    page = await browser.post("me/email", {"new_email": "b@example.com", "current_password": "x"})
    assert page.status == 400


async def test_below_a_path_all_addresses_begin_with_it(make_browser: Any) -> None:
    browser = await make_browser(base_url="http://app.example/shop")
    page = await browser.open("http://app.example/account/login")
    assert 'action="/shop/account/login"' in page.html
    assert 'href="/shop/regstack-static/regstack.css?v=' in page.html
    assert 'href="/shop/"' in page.html


async def test_the_pages_are_not_part_of_the_api_documentation(browser: Any) -> None:
    paths = (await browser.client.get("/openapi.json")).json()["paths"]
    assert paths
    assert not [path for path in paths if path.startswith("/account")]


def test_a_refused_form_keeps_no_secret_for_its_template() -> None:
    entries = {"email": "a@b.example", "password": PASSWORD, "current_password": PASSWORD, "token": "abc"}
    state = FormState.refused(LOGIN, entries, problems={})
    assert state.values == {"email": "a@b.example"}
