"""No text that people write begins a line, a header field, a recipient, an element or a link of its own."""

from __future__ import annotations

import email
import email.policy
import logging
from typing import Any

import pytest

from regstack.errors import BackendUnavailable

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
HOSTILE_NAMES = [
    "Alice\r\nBcc: victim@example.com",
    "Alice\nX-Forged: yes\n\n<h1>another body</h1>",
    "Alice\x0b\x0c\x85\u2028\u2029Bcc: victim@example.com",
    "=?utf-8?q?Alice=0D=0ABcc:_victim@example.com?=",
    'Alice" <victim@example.com>, "Bob',
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "<img src=x onerror=alert(1)>",
    "{{ 1234 * 1000001 }} {% raw %}",
    "Alice, click http://evil.example/now",
    "evil.example",
    "\u202egro.live//:ptth",
]
HEADER_FIELDS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
}  # fmt: skip


def on_the_wire(mail: Any) -> email.message.EmailMessage:
    raw = mail.to_email("noreply@example.com").as_bytes()
    return email.message_from_bytes(raw, policy=email.policy.default)


async def test_a_name_gets_no_header_no_recipient_and_no_link_into_a_mail(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    for number, name in enumerate(HOSTILE_NAMES):
        address = f"user{number}@example.com"
        body = {"email": address, "password": ALICE["password"], "full_name": name}
        assert (await world.post("/register", body)).status_code == 201, name
        await world.post("/forgot-password", {"email": address})
        await world.post("/resend-verification", {"email": address})
    assert await world.rs.drain()
    assert len(world.outbox.outbox) == 2 * len(HOSTILE_NAMES)
    for mail in world.outbox.outbox:
        message = on_the_wire(mail)
        assert set(message.keys()) == HEADER_FIELDS
        assert [each.addr_spec for each in message["To"].addresses] == [mail.to]
        for part in message.walk():
            if part.is_multipart():
                continue
            text = part.get_content()
            assert "evil.example" not in text
            assert "1234001234" not in text
            if part.get_content_type() == "text/html":
                assert "<img src=x" not in text
                assert "<script" not in text


@pytest.mark.parametrize("name", HOSTILE_NAMES[:5])
async def test_the_name_of_the_application_gets_no_header_into_a_mail(make_world: Any, name: str) -> None:
    world = await make_world(app_name=name, email={"from_name": name})
    await world.account()
    for mail in world.outbox.outbox:
        message = on_the_wire(mail)
        assert set(message.keys()) == HEADER_FIELDS
        try:
            senders = [each.addr_spec for each in message["From"].addresses]
        except ValueError as error:  # a later Python finds by itself what an encoded word hides
            pytest.fail(str(error))
        assert senders == ["noreply@example.com"]


async def test_an_address_with_a_second_line_or_a_second_recipient_is_refused(world: Any) -> None:
    for address in [
        "alice@example.com\r\nBcc: victim@example.com",
        "alice@example.com\nvictim@example.com",
        "alice@example.com,victim@example.com",
        "alice@example.com victim@example.com",
        "Alice <alice@example.com>",
        '"alice\r\n"@example.com',
        "alice@example.com%0d%0aBcc:victim@example.com",
    ]:
        answer = await world.post("/register", ALICE | {"email": address})
        assert answer.status_code == 422, address
        assert "\n" not in answer.text
        assert (await world.post("/forgot-password", {"email": address})).status_code == 202
    assert await world.rs.drain()
    assert not world.outbox.outbox


async def test_no_text_of_a_request_or_of_storage_begins_a_line_of_the_log(
    world: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "regstack")
    forged = "\r\n2026-03-01 INFO regstack: administrator signed in\u2028\x1b[31m"

    async def fail(*args: Any, **kwargs: Any) -> None:
        raise BackendUnavailable(f"the server said {forged}")

    @world.rs.on("user_logged_in")
    async def broken(**payload: Any) -> None:
        raise RuntimeError(forged)

    class Transport:
        async def send(self, message: Any) -> None:
            raise RuntimeError(forged)

    await world.account()
    await world.log_in()
    world.rs.set_email_backend(Transport())
    world.rs._mailer._max_attempts = 1
    await world.post("/forgot-password", {"email": ALICE["email"]})
    await world.call("PATCH", "/me", {"full_name": forged}, await world.log_in())
    assert await world.rs.drain()
    monkeypatch.setattr(world.rs.users, "find_login_subject", fail)
    assert (await world.post("/login", ALICE)).status_code == 503
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("regstack")]
    assert len(lines) >= 3
    for line in lines:
        assert not set(line) & set("\r\n\x0b\x0c\x1b\x85\u2028\u2029"), line


async def test_no_entry_becomes_an_element_of_a_page(browser: Any) -> None:
    for name in HOSTILE_NAMES:
        page = await browser.post("register", {"email": name, "password": "short", "full_name": name})
        assert page.status == 422
        assert not page.markup.all("script")
        assert not page.markup.all("img")
        assert "1234001234" not in page.html
    await browser.account(name="<script>alert(1)</script>")
    page = await browser.log_in()
    assert not page.markup.all("script")
    assert page.markup.field("name-full_name")["value"] == "<script>alert(1)</script>"


async def test_no_entry_gets_into_a_header_of_an_answer(browser: Any) -> None:
    await browser.account()
    injected = "/x\r\nSet-Cookie: stolen=1"
    answer = await browser.post("login", ALICE | {"next": injected}, follow=False)
    assert "stolen" not in str(answer.answer.headers)
    for query in ("done=x%0d%0aSet-Cookie:stolen=1", "next=/%0d%0aSet-Cookie:stolen=1", "token=a%0d%0ab"):
        for page in ("login", "verify", "reset"):
            answer = await browser.open(f"{page}?{query}", follow=False)
            assert "stolen" not in str(answer.answer.headers)
