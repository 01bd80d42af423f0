from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regstack.errors import ConfigurationError

pytestmark = pytest.mark.anyio

PHONE = "+41446681800"
OTHER_PHONE = "+41446681801"
ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
CURRENT = {"current_password": ALICE["password"]}


@pytest.fixture
async def world(make_world: Any) -> Any:
    """An application that offers the second factor."""
    return await make_world(enable_sms_2fa=True)


async def test_a_person_sets_a_phone_up_signs_in_with_it_and_removes_it(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    body = {"phone_number": "+41 44 668 18 00", **CURRENT}
    answer = await world.post("/phone/start", body, token)
    assert answer.status_code == 202
    started = answer.json()
    assert set(started) == {"status", "pending_token", "expires_in"}
    assert (started["status"], started["expires_in"]) == ("code_sent", 600)
    assert (await world.get("/me", token)).json()["phone_number"] is None

    code = await world.texted_code(PHONE)
    assert len(code) == 6
    assert code.isdecimal()
    answer = await world.post(
        "/phone/confirm", {"pending_token": started["pending_token"], "code": code}, token
    )
    assert answer.status_code == 200
    assert (answer.json()["phone_number"], answer.json()["is_mfa_enabled"]) == (PHONE, True)

    answer = await world.post("/login", ALICE)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    pending = answer.json()["mfa_pending_token"]
    assert answer.json() == {
        "status": "mfa_required",
        "mfa_pending_token": pending,
        "expires_in": 600,
        "delivery": {"channel": "sms", "hint": "…00"},
    }
    answer = await world.finish_log_in(pending, await world.texted_code(PHONE))
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "token_type", "expires_in"}
    second = answer.json()["access_token"]
    assert (await world.get("/me", second)).json()["is_mfa_enabled"] is True

    answer = await world.call("DELETE", "/phone", {"current_password": "not my password"}, second)
    assert answer.status_code == 400
    assert (await world.call("DELETE", "/phone", CURRENT, second)).status_code == 200
    me = (await world.get("/me", second)).json()
    assert (me["phone_number"], me["is_mfa_enabled"]) == (None, False)
    await world.log_in()


async def test_the_owner_is_told_by_mail_when_the_factor_is_switched_on_and_off(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    await world.add_phone(token)
    mail = (await world.mails(ALICE["email"]))[-1]
    assert "needs your phone" in mail.subject
    assert "…00" in mail.text
    assert PHONE not in mail.text + mail.html
    await world.call("DELETE", "/phone", CURRENT, token)
    assert "no longer needs your phone" in (await world.mails(ALICE["email"]))[-1].subject
    told = len(await world.mails(ALICE["email"]))
    assert (await world.call("DELETE", "/phone", CURRENT, token)).status_code == 200
    assert len(await world.mails(ALICE["email"])) == told


async def test_a_text_names_the_application_and_says_that_nobody_asks_for_the_code(world: Any) -> None:
    await world.account()
    await world.add_phone(await world.log_in())
    await world.begin_log_in()
    assert await world.rs.drain()
    for text in world.texts.outbox:
        assert "RegStack" in text.text
        assert "Nobody will ask you for it" in text.text
        assert "5 minutes" in text.text
        assert len(text.text) <= 160
        assert text.text.isascii()


async def test_last_login_and_the_event_wait_for_the_last_factor(world: Any) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    for event in (
        "phone_setup_started",
        "mfa_enabled",
        "mfa_login_started",
        "user_logged_in",
        "mfa_disabled",
    ):
        world.rs.on(event, lambda event=event, **payload: told.append((event, payload)))
    user = await world.account()
    token = await world.log_in()
    await world.add_phone(token)
    world.clock.advance(timedelta(minutes=1))
    pending, before = await world.begin_log_in(), (await world.rs.users.get_by_id(user["id"])).last_login
    assert before < world.clock.now()
    code = await world.texted_code(PHONE)
    assert [event for event, _ in told] == [
        "user_logged_in", "phone_setup_started", "mfa_enabled", "mfa_login_started",
    ]  # fmt: skip
    await world.finish_log_in(pending, code)
    assert (await world.rs.users.get_by_id(user["id"])).last_login == world.clock.now()
    await world.call("DELETE", "/phone", CURRENT, token)
    assert await world.rs.drain()
    assert [event for event, _ in told[4:]] == ["user_logged_in", "mfa_disabled"]
    for secret in (code, pending, token):
        assert secret not in repr(told)


async def test_a_wrong_code_may_be_followed_by_the_right_one(world: Any) -> None:
    await world.account()
    await world.add_phone(await world.log_in())
    pending = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    answer = await world.finish_log_in(pending, "x" + code)
    assert (answer.status_code, answer.json()["detail"]) == (400, "this is not the code that was sent")
    assert (await world.finish_log_in(pending, code)).status_code == 200


async def test_codes_and_half_finished_sign_ins_expire_at_the_instant_that_was_said(make_world: Any) -> None:
    world = await make_world(enable_sms_2fa=True, mfa_pending_token_ttl_seconds=200, sms_code_ttl_seconds=100)
    await world.account()
    token = await world.log_in()
    await world.add_phone(token)
    for late, status in ((99, 200), (100, 400), (200, 400)):
        pending = await world.begin_log_in()
        code = await world.texted_code(PHONE)
        world.clock.advance(timedelta(seconds=late))
        assert (await world.finish_log_in(pending, code)).status_code == status
    body = {"phone_number": OTHER_PHONE, **CURRENT}
    pending = (await world.post("/phone/start", body, token)).json()["pending_token"]
    body = {"pending_token": pending, "code": await world.texted_code(OTHER_PHONE)}
    world.clock.advance(timedelta(seconds=100))
    assert (await world.post("/phone/confirm", body, token)).status_code == 400


async def test_another_phone_takes_the_place_of_the_first(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    await world.add_phone(token)
    await world.add_phone(token, OTHER_PHONE)
    pending = await world.begin_log_in()
    assert (await world.finish_log_in(pending, await world.texted_code(OTHER_PHONE))).status_code == 200


async def test_a_code_has_as_many_digits_as_the_setting_says(make_world: Any) -> None:
    world = await make_world(enable_sms_2fa=True, sms_code_length=10)
    await world.account()
    await world.add_phone(await world.log_in())
    assert len(await world.texted_code(PHONE)) == 10


@pytest.mark.parametrize(
    "number", ["044 668 18 00", "+41", "+999123456789", "+4144668180012345", "+41 44 668 ABCD", "+1\x00", " "]
)
async def test_what_is_no_phone_number_is_refused_before_the_password_is_looked_at(
    world: Any, number: str
) -> None:
    await world.account()
    token = await world.log_in()
    body = {"phone_number": number, "current_password": "not my password"}
    assert (await world.post("/phone/start", body, token)).status_code == 422
    assert await world.rs.drain()
    assert world.texts.outbox == []


async def test_setting_a_phone_up_takes_the_password(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    body = {"phone_number": PHONE, "current_password": "not my password"}
    assert (await world.post("/phone/start", body, token)).status_code == 400
    assert (await world.post("/phone/start", body)).status_code == 401
    assert await world.rs.drain()
    assert world.texts.outbox == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/login/mfa-confirm"),
        ("POST", "/phone/start"),
        ("POST", "/phone/confirm"),
        ("DELETE", "/phone"),
    ],
)
async def test_without_the_switch_the_routes_are_not_there(make_world: Any, method: str, path: str) -> None:
    world = await make_world(enable_sms_2fa=False)
    await world.account()
    assert (await world.call(method, path, CURRENT, await world.log_in())).status_code == 404


async def test_switched_off_an_account_with_a_second_factor_is_not_let_in_without_it(
    make_world: Any,
) -> None:
    on = await make_world(enable_sms_2fa=True)
    await on.account()
    await on.add_phone(await on.log_in())
    off = await make_world(enable_sms_2fa=False)
    if off.rs.backend.kind == "memory":
        off = on
        on.rs.services.login._second_factor = None
    answer = await off.post("/login", ALICE)
    assert answer.status_code == 403
    assert "switched off" in answer.json()["detail"]
    assert (await off.post("/login", ALICE | {"password": "not my password"})).status_code == 401
    user = await off.rs.users.get_by_email(ALICE["email"])
    await off.rs.users.set_second_factor(user.id, None)
    await off.log_in()


async def test_a_change_of_the_root_secret_between_the_factors_cuts_nobody_off(make_world: Any) -> None:
    from regstack.auth.keys import KeyRing
    from regstack.auth.tokens import JwtCodec

    world = await make_world(enable_sms_2fa=True)
    await world.account()
    await world.add_phone(await world.log_in())
    pending = await world.begin_log_in()
    secret = world.rs.config.jwt_secret.get_secret_value()
    keys = KeyRing("the next root secret, of the tests alone " * 2, [secret])
    codes = world.rs.services.second_factor._codes
    codes._keys, codes._jwt = keys, JwtCodec(keys, world.clock)
    assert (await world.finish_log_in(pending, await world.texted_code(PHONE))).status_code == 200


async def test_the_openapi_document_tells_both_outcomes_of_a_login(world: Any) -> None:
    from fastapi import FastAPI

    app = FastAPI()
    app.include_router(world.rs.router)
    document = app.openapi()
    answer = document["paths"]["/login"]["post"]["responses"]["200"]["content"]["application/json"]
    names = {each["$ref"].rpartition("/")[2] for each in answer["schema"]["anyOf"]}
    assert names == {"TokenAnswer", "MfaRequiredAnswer"}


def test_start_up_says_what_to_install_for_phone_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from regstack import RegStack, RegStackConfig

    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    config = RegStackConfig(database_url="memory://", jwt_secret="x" * 32, enable_sms_2fa=True)
    with pytest.raises(ConfigurationError, match=r"regstack\[sms\]"):
        RegStack(config)
