from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "Alice@Example.com", "password": "correct horse battery", "full_name": "Alice"}


async def test_a_person_registers_confirms_logs_in_is_recognised_and_logs_out(world: Any) -> None:
    answer = await world.post("/register", ALICE)
    assert answer.status_code == 201
    pending = answer.json()
    assert pending["status"] == "pending_verification"
    assert pending["email"] == "Alice@example.com"
    assert pending["expires_at"] == "2026-03-02T12:00:00Z"

    assert (await world.post("/login", ALICE | {"full_name": None})).status_code == 422
    credentials = {"email": "alice@example.com", "password": ALICE["password"]}
    assert (await world.post("/login", credentials)).status_code == 403

    answer = await world.post("/verify", {"token": await world.mailed_token("Alice@example.com")})
    assert answer.status_code == 200
    user = answer.json()
    assert user["is_verified"] is True
    assert user["full_name"] == "Alice"
    assert set(user) == {
        "id", "email", "is_active", "is_verified", "is_superuser", "full_name", "phone_number",
        "is_mfa_enabled", "created_at", "updated_at", "last_login", "tokens_invalidated_after",
    }  # fmt: skip

    answer = await world.post("/login", credentials)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["expires_in"] == 7200
    token = answer.json()["access_token"]

    answer = await world.get("/me", token)
    assert answer.status_code == 200
    assert answer.json()["id"] == user["id"]
    assert answer.json()["last_login"] == "2026-03-01T12:00:00Z"

    assert (await world.post("/logout", token=token)).status_code == 200
    assert (await world.get("/me", token)).status_code == 401
    assert (await world.post("/logout", token=token)).status_code == 401


async def test_of_logouts_at_once_one_ends_the_session_and_the_others_come_too_late(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    ended: list[Any] = []
    world.rs.on("user_logged_out", lambda **payload: ended.append(payload))
    answers = await asyncio.gather(*(world.post("/logout", token=token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert (await world.get("/me", token)).status_code == 401
    assert await world.rs.drain()
    assert len(ended) == 1


async def test_a_forgotten_password_is_replaced_and_everything_earlier_is_dead(world: Any) -> None:
    await world.account()
    before = await world.log_in()
    assert (await world.post("/forgot-password", {"email": "ALICE@example.com"})).status_code == 202
    older = await world.mailed_token("alice@example.com")
    assert (await world.post("/forgot-password", {"email": "alice@example.com"})).status_code == 202
    newest = await world.mailed_token("alice@example.com")
    assert older != newest

    new = {"new_password": "another long password"}
    assert (await world.post("/reset-password", new | {"token": older})).status_code == 400
    assert (await world.post("/reset-password", new | {"token": newest})).status_code == 200
    assert (await world.post("/reset-password", new | {"token": newest})).status_code == 400
    assert (await world.get("/me", before)).status_code == 401
    old_credentials = {"email": "alice@example.com", "password": ALICE["password"]}
    assert (await world.post("/login", old_credentials)).status_code == 401
    await world.log_in(password="another long password")


async def test_a_reset_link_dies_with_any_later_change_of_password(world: Any) -> None:
    await world.account()
    await world.post("/forgot-password", {"email": "alice@example.com"})
    link = await world.mailed_token("alice@example.com")
    body = {"current_password": ALICE["password"], "new_password": "another long password"}
    assert (await world.post("/change-password", body, await world.log_in())).status_code == 200
    answer = await world.post("/reset-password", {"token": link, "new_password": "attackers password"})
    assert answer.status_code == 400


async def test_links_expire_at_the_instant_that_was_said(world: Any) -> None:
    await world.post("/register", ALICE)
    token = await world.mailed_token("Alice@example.com")
    world.clock.advance(timedelta(days=1))
    assert (await world.post("/verify", {"token": token})).status_code == 400

    await world.account("bob@example.com")
    await world.post("/forgot-password", {"email": "bob@example.com"})
    token = await world.mailed_token("bob@example.com")
    world.clock.advance(timedelta(minutes=30))
    answer = await world.post("/reset-password", {"token": token, "new_password": "another long password"})
    assert answer.status_code == 400


async def test_changing_the_password_leaves_one_token_alive_the_fresh_one(world: Any) -> None:
    await world.account()
    calling, elsewhere = await world.log_in(), await world.log_in()
    body = {"current_password": ALICE["password"], "new_password": "another long password"}
    wrong = body | {"current_password": "not my password"}
    assert (await world.post("/change-password", wrong, calling)).status_code == 400
    answer = await world.post("/change-password", body, calling)
    assert answer.status_code == 200
    assert (await world.get("/me", answer.json()["access_token"])).status_code == 200
    for dead in (calling, elsewhere):
        assert (await world.get("/me", dead)).status_code == 401
    assert (await world.mails("alice@example.com"))[-1].subject


async def test_an_address_changes_once_the_new_one_has_answered(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    body = {"new_email": "alice@new.example.com", "current_password": ALICE["password"]}
    wrong = body | {"current_password": "not my password"}
    assert (await world.post("/change-email", wrong, token)).status_code == 400
    assert (await world.post("/change-email", body, token)).status_code == 202
    assert (await world.get("/me", token)).json()["email"] == "alice@example.com"

    link = await world.mailed_token("alice@new.example.com")
    notice = (await world.mails("alice@example.com"))[-1]
    assert link not in notice.text
    answer = await world.post("/confirm-email-change", {"token": link})
    assert answer.status_code == 200
    assert answer.json()["email"] == "alice@new.example.com"
    assert (await world.post("/confirm-email-change", {"token": link})).status_code == 400
    assert (await world.get("/me", token)).status_code == 401
    await world.log_in("alice@new.example.com")


async def test_an_address_taken_meanwhile_is_a_conflict_and_says_so_to_the_link_only(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    body = {"new_email": "bob@example.com", "current_password": ALICE["password"]}
    assert (await world.post("/change-email", body, token)).status_code == 202
    link = await world.mailed_token("bob@example.com")
    await world.account("bob@example.com")
    assert (await world.post("/confirm-email-change", {"token": link})).status_code == 409

    mails = len(await world.mails("bob@example.com"))
    assert (await world.post("/change-email", body, token)).status_code == 202
    assert len(await world.mails("bob@example.com")) == mails


async def test_a_profile_changes_only_in_what_is_sent(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    answer = await world.call("PATCH", "/me", {"full_name": "Алиса 🐴"}, token)
    assert answer.json()["full_name"] == "Алиса 🐴"
    assert (await world.call("PATCH", "/me", {}, token)).json()["full_name"] == "Алиса 🐴"
    assert (await world.call("PATCH", "/me", {"full_name": None}, token)).json()["full_name"] is None
    assert (await world.call("PATCH", "/me", {"is_superuser": True}, token)).status_code == 422


async def test_an_account_is_deleted_with_its_password_and_its_tokens_die(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    wrong = await world.call("DELETE", "/account", {"current_password": "not my password"}, token)
    assert wrong.status_code == 400
    answer = await world.call("DELETE", "/account", {"current_password": ALICE["password"]}, token)
    assert answer.status_code == 200
    assert (await world.get("/me", token)).status_code == 401
    await world.account()


async def test_a_second_mail_replaces_the_link_of_the_first(world: Any) -> None:
    await world.post("/register", ALICE)
    first = await world.mailed_token("Alice@example.com")
    assert (await world.post("/resend-verification", {"email": "alice@example.com"})).status_code == 202
    second = await world.mailed_token("Alice@example.com")
    assert (await world.post("/verify", {"token": first})).status_code == 400
    assert (await world.post("/verify", {"token": second})).status_code == 200
    assert (await world.post("/resend-verification", {"email": "alice@example.com"})).status_code == 202
    assert len(await world.mails("Alice@example.com")) == 2


async def test_a_newer_registration_kills_the_older_one_with_its_password(world: Any) -> None:
    await world.post("/register", ALICE | {"password": "attackers password"})
    older = await world.mailed_token("Alice@example.com")
    await world.post("/register", ALICE)
    assert (await world.post("/verify", {"token": older})).status_code == 400
    await world.post("/verify", {"token": await world.mailed_token("Alice@example.com")})
    await world.log_in()


async def test_without_verification_a_registration_is_an_account_at_once(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    answer = await world.post("/register", ALICE)
    assert answer.status_code == 201
    assert answer.json()["is_verified"] is False
    assert (await world.post("/register", ALICE)).status_code == 409
    await world.log_in()


async def test_an_account_from_before_verification_was_required_can_confirm_its_address(
    make_world: Any,
) -> None:
    world = await make_world(require_verification=False)
    user = (await world.post("/register", ALICE)).json()
    world.rs.services.login._require_verification = True
    credentials = {"email": "alice@example.com", "password": ALICE["password"]}
    assert (await world.post("/login", credentials)).status_code == 403
    await world.post("/resend-verification", {"email": "alice@example.com"})
    answer = await world.post("/verify", {"token": await world.mailed_token("Alice@example.com")})
    assert answer.json()["id"] == user["id"]
    await world.log_in()


async def test_quiet_registration_answers_alike_and_tells_the_owner(make_world: Any) -> None:
    world = await make_world(quiet_registration=True)
    first = await world.post("/register", ALICE)
    await world.post("/verify", {"token": await world.mailed_token("Alice@example.com")})
    again = await world.post("/register", ALICE | {"password": "attackers password"})
    assert again.status_code == first.status_code == 201
    assert again.json() == first.json()
    assert "token=" not in (await world.mails("Alice@example.com"))[-1].text
    await world.log_in()
    pending = {"email": "bob@example.com", "password": ALICE["password"]}
    await world.post("/register", pending)
    assert await world.rs.drain()
    assert (await world.post("/login", pending)).status_code == 401


@pytest.mark.parametrize(
    ("switch", "method", "path", "status"),
    [
        ("allow_registration", "POST", "/register", 403),
        ("enable_password_reset", "POST", "/forgot-password", 404),
        ("enable_password_reset", "POST", "/reset-password", 404),
        ("enable_account_deletion", "DELETE", "/account", 404),
        ("enable_admin_router", "GET", "/admin/stats", 404),
    ],
)
async def test_what_is_switched_off_is_not_there(
    make_world: Any, switch: str, method: str, path: str, status: int
) -> None:
    world = await make_world(**{switch: False})
    assert (await world.call(method, path, ALICE)).status_code == status
