"""What every answer tells browsers and caches, and what none tells other sites."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}


@pytest.mark.parametrize("database_url", ["memory"], indirect=True)
async def test_no_answer_is_kept_or_guessed_at_or_given_to_another_site(make_world: Any) -> None:
    world = await make_world(enable_admin_router=True)
    await world.account()
    token = await world.log_in()
    world.client.headers["Origin"] = "http://evil.example"
    answers = [
        await world.post("/login", ALICE),
        await world.post("/login", ALICE | {"password": "wrong"}),
        await world.post("/login", {}),
        await world.post("/register", ALICE),
        await world.post("/verify", {"token": "t" * 43}),
        await world.get("/me"),
        await world.get("/me", token),
        await world.get("/admin/stats", token),
        await world.call("POST", "/login", content=b"x" * 100_000),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 422, 409, 400, 401, 200, 403, 413]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"] == "application/json"
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "set-cookie" not in answer.headers


async def test_every_password_field_is_masked_and_open_to_password_managers(browser: Any) -> None:
    await browser.account()
    pages = [await browser.open(page) for page in ("login", "register", "reset?token=abc")]
    pages.append(await browser.log_in())
    fields = [
        field
        for page in pages
        for field in page.markup.all("input")
        if "password" in (field.get("name") or "")
    ]
    assert len(fields) >= 6
    for field in fields:
        assert field["type"] == "password"
        assert field["autocomplete"] in {"current-password", "new-password"}
        assert "value" not in field or not field["value"]
        assert not {"maxlength", "readonly", "onpaste"} & field.keys()


async def test_whoever_is_signed_in_can_sign_out_on_every_page_of_the_account(browser: Any) -> None:
    await browser.account()
    await browser.log_in()
    for page in (
        await browser.open("me"),
        await browser.post("me/name", {"full_name": "Alice"}),
        await browser.post("me/password", {"current_password": "wrong", "new_password": "short"}),
    ):
        assert "/account/logout" in page.markup.forms
