"""Nobody gets past the second factor without the phone, however many try, and whatever they mix up."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from regstack.models.mfa_code import MfaOutcome
from tests.backends import ON_MEMORY

pytestmark = pytest.mark.anyio

PHONE = "+41446681800"
THIEF_PHONE = "+41446681801"
ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
BOB = {"email": "bob@example.com", "password": "correct horse battery"}
CURRENT = {"current_password": ALICE["password"]}
NEW = "another long password"


@pytest.fixture
async def world(make_world: Any) -> Any:
    """An application in which Alice has a second factor."""
    world = await make_world(enable_sms_2fa=True, enable_admin_router=True)
    await world.account()
    await world.add_phone(await world.log_in())
    world.clock.advance(timedelta(hours=1))  # what the set-up cost is forgotten
    return world


@pytest.fixture
def thief(world: Any) -> Any:
    """Somebody elsewhere, who knows Alice's password."""
    return world.at("203.0.113.66")


class Compared:
    """What became of each guess that storage compared to a code."""

    def __init__(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcomes: Counter[MfaOutcome] = Counter()
        verify = world.rs.mfa_codes.verify

        async def spy(*args: Any) -> Any:
            result = await verify(*args)
            self.outcomes[result.outcome] += 1
            return result

        monkeypatch.setattr(world.rs.mfa_codes, "verify", spy)

    @property
    def guesses(self) -> int:
        return self.outcomes[MfaOutcome.OK] + self.outcomes[MfaOutcome.WRONG]


async def start_phone(world: Any, token: str, number: str = PHONE) -> str:
    answer = await world.post("/phone/start", {"phone_number": number, **CURRENT}, token)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["pending_token"])


async def sign_in(world: Any) -> str:
    """Both factors."""
    pending = await world.begin_log_in()
    answer = await world.finish_log_in(pending, await world.texted_code(PHONE))
    return str(answer.json()["access_token"])


def wrong_codes(code: str, count: int) -> list[str]:
    return [f"{(int(code) + step) % 10**6:06}" for step in range(1, count + 1)]


async def at_once(calls: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


async def test_of_fifty_guesses_at_once_no_more_than_five_are_compared(
    world: Any, thief: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = await thief.begin_log_in()
    code = await world.texted_code(PHONE)
    compared = Compared(world, monkeypatch)
    answers = await at_once([thief.finish_log_in(pending, wrong) for wrong in wrong_codes(code, 50)])
    assert answers == {400: 5, 429: 45}
    assert compared.guesses == 5
    assert (await thief.finish_log_in(pending, code)).status_code == 429
    assert compared.guesses == 5


@ON_MEMORY
async def test_a_thief_who_guesses_elsewhere_does_not_lock_the_owner_out(world: Any, thief: Any) -> None:
    pending = await thief.begin_log_in()
    await at_once([thief.finish_log_in(pending, wrong) for wrong in ("1", "2", "3", "4", "5", "6")])
    for _ in range(4):
        await thief.begin_log_in()
    assert (await thief.post("/login", ALICE)).status_code == 429
    await sign_in(world)


async def test_the_right_code_fifty_times_at_once_lets_one_in(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(enable_sms_2fa=True, rate_limit_disabled=True)
    await world.account()
    await world.add_phone(await world.log_in())
    pending = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    assert await at_once([world.finish_log_in(pending, code) for _ in range(50)]) == {200: 1, 400: 49}


async def test_a_code_bounds_its_guesses_even_where_limits_are_off(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(enable_sms_2fa=True, rate_limit_disabled=True)
    await world.account()
    await world.add_phone(await world.log_in())
    pending = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    compared = Compared(world, monkeypatch)
    answers = await at_once([world.finish_log_in(pending, wrong) for wrong in wrong_codes(code, 50)])
    assert answers == {400: 50}
    assert compared.guesses == 5
    assert (await world.finish_log_in(pending, code)).status_code == 400


async def test_new_codes_bring_no_new_guesses(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = Compared(world, monkeypatch)
    for number in range(4):
        elsewhere = world.at(f"198.51.100.{number}")
        pending = await elsewhere.begin_log_in()
        for wrong in wrong_codes(await world.texted_code(PHONE), 2):
            await elsewhere.finish_log_in(pending, wrong)
    assert compared.guesses == 5
    assert (await elsewhere.finish_log_in(pending, await world.texted_code(PHONE))).status_code == 429
    world.clock.advance(timedelta(minutes=15))
    await sign_in(elsewhere)


async def test_a_phone_that_is_confirmed_brings_no_new_guesses(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await sign_in(world)
    compared = Compared(world, monkeypatch)
    for _ in range(2):
        setup = await start_phone(world, token)
        code = await world.texted_code(PHONE)
        for guess in (*wrong_codes(code, 3), code):
            await world.post("/phone/confirm", {"pending_token": setup, "code": guess}, token)
    assert compared.guesses == 5


async def test_a_password_reset_brings_no_new_guesses(
    world: Any, thief: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = Compared(world, monkeypatch)
    pending = await thief.begin_log_in()
    for wrong in wrong_codes(await world.texted_code(PHONE), 4):
        await thief.finish_log_in(pending, wrong)
    await world.post("/forgot-password", {"email": ALICE["email"]})
    body = {"token": await world.mailed_token(ALICE["email"]), "new_password": NEW}
    assert (await world.post("/reset-password", body)).status_code == 200
    pending = await thief.begin_log_in(password=NEW)
    for wrong in wrong_codes(await world.texted_code(PHONE), 4):
        await thief.finish_log_in(pending, wrong)
    assert compared.guesses == 5


async def test_texts_are_limited_for_the_account_at_sign_in_and_set_up_together(
    world: Any, thief: Any
) -> None:
    token = await sign_in(world)
    before = len(world.texts.outbox)
    answers = await at_once(
        [world.post("/phone/start", {"phone_number": THIEF_PHONE, **CURRENT}, token) for _ in range(4)]
    )
    assert answers[202] <= 4
    for _ in range(5):
        await thief.post("/login", ALICE)
    assert await world.rs.drain()
    # With the one that the sign-in above took, five.
    assert len(world.texts.outbox) - before == 4
    answer = await world.post("/phone/start", {"phone_number": THIEF_PHONE, **CURRENT}, token)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


@ON_MEMORY
async def test_many_accounts_do_not_ring_one_phone(make_world: Any) -> None:
    world = await make_world(enable_sms_2fa=True)
    seen = []
    for number in range(8):
        email = f"mallory{number}@example.com"
        await world.account(email)
        body = {"phone_number": PHONE, "current_password": ALICE["password"]}
        seen.append((await world.post("/phone/start", body, await world.log_in(email))).status_code)
    assert seen == [202] * 5 + [429] * 3


@ON_MEMORY
async def test_sign_ins_that_succeed_do_not_make_texts_free(world: Any) -> None:
    for _ in range(10):
        await sign_in(world)
    # Five from anywhere, five from her own place; and one that she set the phone up with.
    assert (await world.post("/login", ALICE)).status_code == 429
    assert len(world.texts.outbox) == 11


@ON_MEMORY
async def test_the_password_lockout_is_not_cleared_by_the_password_alone(thief: Any) -> None:
    wrong = ALICE | {"password": "not my password"}
    for _ in range(2):
        assert (await thief.post("/login", wrong)).status_code == 401
        await thief.begin_log_in()
    assert (await thief.post("/login", wrong)).status_code == 401
    assert (await thief.post("/login", wrong)).status_code == 429


@ON_MEMORY
async def test_a_half_finished_sign_in_is_no_session(world: Any) -> None:
    pending = await world.begin_log_in()
    for method, path in (("GET", "/me"), ("POST", "/logout"), ("GET", "/admin/stats")):
        assert (await world.call(method, path, token=pending)).status_code == 401
    body = {"phone_number": THIEF_PHONE, **CURRENT}
    assert (await world.post("/phone/start", body, pending)).status_code == 401
    assert (await world.call("DELETE", "/phone", CURRENT, pending)).status_code == 401


@ON_MEMORY
async def test_a_session_or_a_phone_set_up_is_no_half_finished_sign_in(world: Any) -> None:
    token = await sign_in(world)
    setup = await start_phone(world, token)
    code = await world.texted_code(PHONE)
    for other in (token, setup, "", "x", code, "a.b.c"):
        answer = await world.finish_log_in(other, code)
        assert answer.status_code == (400 if other else 422)
    assert (await world.get("/me", setup)).status_code == 401


@ON_MEMORY
async def test_a_code_for_the_phone_set_up_signs_nobody_in(world: Any) -> None:
    token = await sign_in(world)
    pending = await world.begin_log_in()
    setup = await start_phone(world, token)
    code = await world.texted_code(PHONE)
    assert (await world.finish_log_in(pending, code)).status_code == 400
    assert (await world.finish_log_in(setup, code)).status_code == 400


@ON_MEMORY
async def test_a_code_for_a_sign_in_confirms_no_phone(world: Any) -> None:
    token = await sign_in(world)
    setup = await start_phone(world, token, THIEF_PHONE)
    pending = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    for held in (setup, pending):
        body = {"pending_token": held, "code": code}
        assert (await world.post("/phone/confirm", body, token)).status_code == 400
    assert (await world.get("/me", token)).json()["phone_number"] == PHONE


@ON_MEMORY
async def test_a_code_finishes_only_the_sign_in_that_it_was_sent_for(world: Any) -> None:
    thief = await world.begin_log_in()
    older = await world.texted_code(PHONE)
    owner = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    assert (await world.finish_log_in(thief, code)).status_code == 400
    assert (await world.finish_log_in(owner, older)).status_code == 400
    assert (await world.finish_log_in(owner, code)).status_code == 200


async def test_a_used_code_is_dead(world: Any) -> None:
    pending = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    assert (await world.finish_log_in(pending, code)).status_code == 200
    assert (await world.finish_log_in(pending, code)).status_code == 400
    again = await world.begin_log_in()
    assert (await world.finish_log_in(again, code)).status_code == 400


@ON_MEMORY
async def test_a_phone_set_up_belongs_to_one_account_and_one_code(world: Any) -> None:
    token = await sign_in(world)
    await world.account(BOB["email"])
    bob = await world.log_in(BOB["email"])
    setup = await start_phone(world, token, THIEF_PHONE)
    body = {"pending_token": setup, "code": await world.texted_code(THIEF_PHONE)}
    assert (await world.post("/phone/confirm", body, bob)).status_code == 400
    assert (await world.post("/phone/confirm", body)).status_code == 401
    assert (await world.post("/phone/confirm", body, token)).status_code == 200
    assert (await world.post("/phone/confirm", body, token)).status_code == 400


async def change_password(world: Any, token: str) -> None:
    body = {**CURRENT, "new_password": NEW}
    assert (await world.post("/change-password", body, token)).status_code == 200


async def reset_password(world: Any, token: str) -> None:
    await world.post("/forgot-password", {"email": ALICE["email"]})
    body = {"token": await world.mailed_token(ALICE["email"]), "new_password": NEW}
    assert (await world.post("/reset-password", body)).status_code == 200


async def change_address(world: Any, token: str) -> None:
    await world.post("/change-email", {"new_email": "alice@example.org", **CURRENT}, token)
    link = await world.mailed_token("alice@example.org")
    assert (await world.post("/confirm-email-change", {"token": link})).status_code == 200


async def disable_and_enable(world: Any, token: str) -> None:
    user = await world.rs.users.get_by_email(ALICE["email"])
    await world.rs.users.set_flags(user.id, is_active=False)
    await world.rs.users.set_flags(user.id, is_active=True)


async def disable(world: Any, token: str) -> None:
    user = await world.rs.users.get_by_email(ALICE["email"])
    await world.rs.users.set_flags(user.id, is_active=False)


async def delete(world: Any, token: str) -> None:
    assert (await world.call("DELETE", "/account", CURRENT, token)).status_code == 200


async def remove_phone(world: Any, token: str) -> None:
    assert (await world.call("DELETE", "/phone", CURRENT, token)).status_code == 200


async def remove_phone_and_add_it_again(world: Any, token: str) -> None:
    await remove_phone(world, token)
    await world.add_phone(token)


async def change_phone(world: Any, token: str) -> None:
    await world.add_phone(token, THIEF_PHONE)


@pytest.mark.parametrize(
    "change",
    [
        change_password, reset_password, change_address, disable_and_enable, disable, delete, remove_phone,
        remove_phone_and_add_it_again, change_phone,
    ],
)  # fmt: skip
async def test_a_half_finished_sign_in_dies_with_every_change_of_the_account(world: Any, change: Any) -> None:
    token = await sign_in(world)
    pending = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    await change(world, token)
    assert (await world.finish_log_in(pending, code)).status_code == 400


@pytest.mark.parametrize("change", [change_password, reset_password, change_address, disable_and_enable])
async def test_a_phone_set_up_dies_with_whatever_ends_sessions(world: Any, change: Any) -> None:
    token = await sign_in(world)
    setup = await start_phone(world, token, THIEF_PHONE)
    code = await world.texted_code(THIEF_PHONE)
    await change(world, token)
    body = {"pending_token": setup, "code": code}
    assert (await world.post("/phone/confirm", body, token)).status_code == 401
    user = await world.rs.users.get_by_id((await world.rs.users.list_page(limit=1))[0].id)
    assert user.phone_number == PHONE


@ON_MEMORY
async def test_a_phone_set_up_is_not_finished_by_a_session_that_came_after_the_change(world: Any) -> None:
    token = await sign_in(world)
    setup = await start_phone(world, token, THIEF_PHONE)
    code = await world.texted_code(THIEF_PHONE)
    answer = await world.post("/change-password", {**CURRENT, "new_password": NEW}, token)
    body = {"pending_token": setup, "code": code}
    assert (await world.post("/phone/confirm", body, answer.json()["access_token"])).status_code == 400


async def test_a_sign_in_whose_token_was_signed_before_a_reset_is_dead_at_once(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    await world.post("/forgot-password", {"email": ALICE["email"]})
    reset = {"token": await world.mailed_token(ALICE["email"]), "new_password": NEW}
    verify = world.rs.mfa_codes.verify

    async def slow(*args: Any) -> Any:
        result = await verify(*args)
        assert (await world.post("/reset-password", reset)).status_code == 200
        return result

    monkeypatch.setattr(world.rs.mfa_codes, "verify", slow)
    answer = await world.finish_log_in(pending, code)
    assert (await world.get("/me", answer.json()["access_token"])).status_code == 401


@pytest.mark.parametrize("act", ["confirm", "remove"])
async def test_a_change_of_the_phone_authorised_by_the_old_password_loses_against_a_reset(
    world: Any, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    token = await sign_in(world)
    setup = await start_phone(world, token, THIEF_PHONE)
    body = {"pending_token": setup, "code": await world.texted_code(THIEF_PHONE)}
    await world.post("/forgot-password", {"email": ALICE["email"]})
    reset = {"token": await world.mailed_token(ALICE["email"]), "new_password": NEW}
    write = world.rs.users.set_second_factor

    async def late(*args: Any, **named: Any) -> Any:
        monkeypatch.undo()
        assert (await world.post("/reset-password", reset)).status_code == 200
        return await write(*args, **named)

    monkeypatch.setattr(world.rs.users, "set_second_factor", late)
    if act == "confirm":
        answer = await world.post("/phone/confirm", body, token)
    else:
        answer = await world.call("DELETE", "/phone", CURRENT, token)
    assert answer.status_code == 401
    user = await world.rs.users.get_by_email(ALICE["email"])
    assert (user.phone_number, user.is_mfa_enabled) == (PHONE, True)


@ON_MEMORY
async def test_logging_out_elsewhere_does_not_help_a_thief_with_a_half_finished_sign_in(world: Any) -> None:
    token = await sign_in(world)
    pending = await world.begin_log_in()
    assert (await world.post("/logout", token=token)).status_code == 200
    assert (await world.get("/me", pending)).status_code == 401
    assert (await world.finish_log_in(pending, "000000")).status_code == 400


@ON_MEMORY
async def test_that_an_account_has_a_second_factor_is_told_after_the_right_password_alone(
    world: Any,
) -> None:
    await world.account(BOB["email"])
    answers = [
        await world.post("/login", {"email": email, "password": "not the password"})
        for email in (ALICE["email"], BOB["email"], "nobody@example.com")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert await world.rs.drain()
    assert len(world.texts.outbox) == 1  # of the set-up


@ON_MEMORY
async def test_the_answer_does_not_wait_for_the_text(world: Any) -> None:
    class Slow:
        def __init__(self) -> None:
            self.may_go = asyncio.Event()
            self.sent = 0

        async def send(self, message: Any) -> None:
            await self.may_go.wait()
            self.sent += 1

    slow = Slow()
    world.rs.set_sms_backend(slow)
    await world.begin_log_in()
    assert slow.sent == 0
    slow.may_go.set()
    assert await world.rs.drain()
    assert slow.sent == 1


async def test_storage_and_logs_hold_neither_code_nor_token_nor_number(
    world: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    pending = await world.begin_log_in()
    code = await world.texted_code(PHONE)
    user = await world.rs.users.get_by_email(ALICE["email"])
    row = await world.rs.mfa_codes.find(user.id, "login")
    assert code not in row.code_hash
    assert code not in repr(row)
    assert (await world.finish_log_in(pending, code)).status_code == 200
    written = caplog.text + "".join(capsys.readouterr())
    for secret in (code, pending, PHONE):
        assert secret not in written


@ON_MEMORY
async def test_a_transport_that_fails_is_logged_without_number_and_code(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def send(self, message: Any) -> None:
            raise RuntimeError(f"could not send {message.text} to {message.to}")

    world.rs._texter._max_attempts = 1
    world.rs.set_sms_backend(Broken())
    await world.begin_log_in()
    assert await world.rs.drain()
    assert "text login_code to a number that begins with +41 was not delivered" in caplog.text
    assert PHONE not in caplog.text
    assert "is your code" not in caplog.text
