"""No header of a request gets into a link or a redirect."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
POISON = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Prefix": "//evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Host": "evil.example",
    "X-Original-URL": "//evil.example/",
    "X-Original-Host": "evil.example",
    "Forwarded": "host=evil.example;proto=gopher",
    "Origin": "http://evil.example",
    "Referer": "http://evil.example/",
}


async def test_every_link_in_every_mail_comes_from_the_base_url(make_world: Any) -> None:
    world = await make_world(quiet_registration=True)
    world.client.headers.update(POISON)
    await world.account()
    token = await world.log_in()
    await world.post("/register", ALICE)
    await world.post("/forgot-password", {"email": ALICE["email"]})
    body = {"new_email": "alice@new.example.com", "current_password": ALICE["password"]}
    assert (await world.post("/change-email", body, token)).status_code == 202
    body = {"current_password": ALICE["password"], "new_password": "another long password"}
    assert (await world.post("/change-password", body, token)).status_code == 200
    await world.post("/register", ALICE | {"email": "bob@example.com"})
    assert await world.rs.drain()
    await world.post("/resend-verification", {"email": "bob@example.com"})
    assert await world.rs.drain()
    assert len(world.outbox.outbox) == 8
    for mail in world.outbox.outbox:
        written = f"{mail.subject} {mail.text} {mail.html} {mail.sender_name}"
        assert "evil.example" not in written
        assert "gopher" not in written
        for link in re.findall(r"\w+://[^\s\"<]+", written):
            assert link.startswith("http://app.example"), link


async def test_a_redirect_of_the_pages_names_no_host(browser: Any) -> None:
    await browser.account()
    headers = POISON | {"Sec-Fetch-Site": "same-origin"}
    entries = ALICE | {"next": "/dashboard"}
    for answer in [
        await browser.post("login", entries, headers=headers, follow=False),
        await browser.post("login", ALICE, headers=headers, follow=False),
        await browser.post("logout", headers=headers, follow=False),
        await browser.post("forgot", {"email": ALICE["email"]}, headers=headers, follow=False),
    ]:
        assert answer.status == 303
        assert re.match(r"/[^/]", answer.answer.headers["location"])
        assert "evil" not in answer.answer.headers["location"]


async def test_no_page_names_the_host_of_its_request(browser: Any) -> None:
    for page in ("login?next=/x", "register", "forgot", "verify?token=abc", "reset?token=abc"):
        answer = await browser.client.get(browser.url(page), headers=POISON)
        assert answer.status_code == 200
        assert "evil" not in answer.text
