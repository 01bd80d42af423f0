from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}


async def at_once(calls: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


async def test_fifty_registrations_of_one_address_give_one_account(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    spellings = [
        "alice@example.com",
        "Alice@Example.com",
        "ALICE@EXAMPLE.COM",
        "ａｌｉｃｅ＠example.com",
        "aLiCe@example.com",
    ]
    calls = [world.post("/register", ALICE | {"email": spelling}) for spelling in spellings * 10]
    assert await at_once(calls) == {201: 1, 409: 49}
    assert await world.rs.users.count() == 1


async def test_fifty_pending_registrations_of_one_address_leave_one_good_link(world: Any) -> None:
    assert await at_once([world.post("/register", ALICE) for _ in range(50)]) == {201: 50}
    assert await world.rs.pending.count_unexpired() == 1
    links = [mail.text.partition("token=")[2].split()[0] for mail in await world.mails("alice@example.com")]
    assert len(set(links)) == 50
    assert await at_once([world.post("/verify", {"token": link}) for link in links]) == {200: 1, 400: 49}
    assert await world.rs.users.count() == 1


async def test_of_fifty_wrong_passwords_exactly_five_are_evaluated(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account()
    evaluated = 0
    verify = world.rs.password_hasher.verify

    async def spy(*args: Any) -> Any:
        nonlocal evaluated
        evaluated += 1
        return await verify(*args)

    monkeypatch.setattr(world.rs.password_hasher, "verify", spy)
    wrong = ALICE | {"password": "not my password"}
    assert await at_once([world.post("/login", wrong) for _ in range(50)]) == {401: 5, 429: 45}
    assert evaluated == 5
    locked = await world.post("/login", ALICE)
    assert locked.status_code == 429
    assert locked.headers["retry-after"] == "900"


async def test_the_right_password_clears_the_count_and_a_reset_lifts_the_lockout(world: Any) -> None:
    await world.account()
    wrong = ALICE | {"password": "not my password"}
    for _ in range(3):
        await at_once([world.post("/login", wrong) for _ in range(4)])
        await world.log_in()
    await at_once([world.post("/login", wrong) for _ in range(6)])
    await world.post("/forgot-password", {"email": "alice@example.com"})
    body = {"token": await world.mailed_token("alice@example.com"), "new_password": "another long password"}
    assert (await world.at("203.0.113.5").post("/login", ALICE)).status_code == 429
    assert (await world.post("/reset-password", body)).status_code == 200
    await world.at("203.0.113.5").log_in(password="another long password")


async def test_guessing_the_current_password_with_a_stolen_token_is_limited_too(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    body = {"current_password": "not my password", "new_password": "another long password"}
    assert await at_once([world.post("/change-password", body, token) for _ in range(20)]) == {
        400: 5,
        429: 15,
    }


async def test_a_reset_token_sent_fifty_times_at_once_works_once(world: Any) -> None:
    await world.account()
    await world.post("/forgot-password", {"email": "alice@example.com"})
    token = await world.mailed_token("alice@example.com")
    passwords = [f"my new password no. {number}" for number in range(50)]
    calls = [world.post("/reset-password", {"token": token, "new_password": each}) for each in passwords]
    answers = await asyncio.gather(*calls)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 49}
    winner = next(
        password for password, answer in zip(passwords, answers, strict=True) if answer.status_code == 200
    )
    await world.log_in(password=winner)


async def test_a_verification_token_sent_fifty_times_at_once_works_once(world: Any) -> None:
    await world.post("/register", ALICE)
    token = await world.mailed_token("alice@example.com")
    assert await at_once([world.post("/verify", {"token": token}) for _ in range(50)]) == {200: 1, 400: 49}


async def test_a_login_in_flight_during_a_reset_signs_a_dead_token(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account()
    await world.post("/forgot-password", {"email": "alice@example.com"})
    reset = {"token": await world.mailed_token("alice@example.com"), "new_password": "another long password"}
    verify = world.rs.password_hasher.verify

    async def slow(*args: Any) -> Any:
        check = await verify(*args)
        monkeypatch.undo()
        assert (await world.post("/reset-password", reset)).status_code == 200
        return check

    monkeypatch.setattr(world.rs.password_hasher, "verify", slow)
    answer = await world.post("/login", ALICE)
    assert answer.status_code == 200
    assert (await world.get("/me", answer.json()["access_token"])).status_code == 401


async def test_a_change_authorised_by_the_old_password_loses_against_a_reset(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account()
    thief = await world.log_in()
    await world.post("/forgot-password", {"email": "alice@example.com"})
    reset = {"token": await world.mailed_token("alice@example.com"), "new_password": "the owner's own choice"}
    hashing = world.rs.password_hasher.hash

    async def slow(*args: Any) -> Any:
        hashed = await hashing(*args)
        monkeypatch.undo()
        assert (await world.post("/reset-password", reset)).status_code == 200
        return hashed

    monkeypatch.setattr(world.rs.password_hasher, "hash", slow)
    body = {"current_password": ALICE["password"], "new_password": "the thief's own choice"}
    assert (await world.post("/change-password", body, thief)).status_code == 401
    await world.log_in(password="the owner's own choice")


async def test_two_administrators_who_remove_each_other_at_once_leave_one(make_world: Any) -> None:
    world = await make_world(enable_admin_router=True)
    ids, tokens = [], []
    for name in ("one", "two"):
        admin = await world.rs.bootstrap_admin(f"{name}@example.com", ALICE["password"])
        ids.append(admin.id)
        tokens.append(await world.log_in(f"{name}@example.com"))
    for body in ({"is_superuser": False}, {"is_active": False}):
        answers = await asyncio.gather(
            world.call("PATCH", f"/admin/users/{ids[1]}", body, tokens[0]),
            world.call("PATCH", f"/admin/users/{ids[0]}", body, tokens[1]),
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 200
        assert statuses[1] in {401, 403, 409}
        assert await world.rs.users.count(is_superuser=True, is_active=True) == 1
        for user_id in ids:
            await world.rs.users.set_flags(user_id, is_superuser=True, is_active=True)
        tokens = [await world.log_in(f"{name}@example.com") for name in ("one", "two")]
