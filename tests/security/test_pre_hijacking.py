"""Nobody waits in an account that somebody else confirms (account pre-hijacking).

Seen in better-auth, GHSA-g38m-r43w-p2q7 and #11023: an attacker registers with the victim's address
and a password, and keeps both when the owner of the address confirms it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
PLANTED = {"email": "victim@example.com", "password": "what the attacker chose"}
OWN = {"email": "victim@example.com", "password": "what the owner chose"}


async def test_a_newer_registration_kills_the_older_one(world: Any) -> None:
    await world.post("/register", PLANTED)
    planted = await world.mailed_token("victim@example.com")
    await world.post("/register", OWN)
    own = await world.mailed_token("victim@example.com")
    assert (await world.post("/verify", {"token": planted})).status_code == 400
    assert (await world.post("/verify", {"token": own})).status_code == 200
    assert (await world.at("203.0.113.6").post("/login", PLANTED)).status_code == 401
    assert (await world.post("/login", OWN)).status_code == 200


async def test_who_confirms_with_the_password_of_another_confirms_nothing(world: Any) -> None:
    await world.post("/register", PLANTED)
    body = {"token": await world.mailed_token("victim@example.com"), "password": OWN["password"]}
    assert (await world.post("/verify", body)).status_code == 400
    assert await world.rs.users.count() == 0
    assert (await world.post("/verify", body | {"password": PLANTED["password"]})).status_code == 200


async def test_without_the_password_nothing_is_confirmed_where_it_is_required(make_world: Any) -> None:
    world = await make_world(verification_requires_password=True)
    await world.post("/register", PLANTED)
    body = {"token": await world.mailed_token("victim@example.com")}
    assert (await world.post("/verify", body)).status_code == 400
    assert await world.rs.users.count() == 0
    assert (await world.post("/verify", body | {"password": PLANTED["password"]})).status_code == 200


async def test_a_mailed_token_is_no_way_to_guess_the_password(world: Any) -> None:
    await world.post("/register", PLANTED)
    token = await world.mailed_token("victim@example.com")
    guesses = [world.post("/verify", {"token": token, "password": f"guess {n}"}) for n in range(20)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*guesses))
    assert statuses == [400] * 5 + [429] * 15


async def test_confirming_an_account_ends_the_sessions_from_before(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    await world.post("/register", PLANTED)
    planted = await world.log_in(**PLANTED)
    await world.post("/resend-verification", {"email": "victim@example.com"})
    body = {"token": await world.mailed_token("victim@example.com"), "password": PLANTED["password"]}
    assert (await world.post("/verify", body)).status_code == 200
    assert (await world.get("/me", planted)).status_code == 401


async def test_nobody_plants_a_phone_in_an_account_that_is_not_confirmed(make_world: Any) -> None:
    world = await make_world(require_verification=False, enable_sms_2fa=True)
    await world.post("/register", PLANTED)
    planted = await world.log_in(**PLANTED)
    body = {"phone_number": "+41446681800", "current_password": PLANTED["password"]}
    assert (await world.post("/phone/start", body, planted)).status_code == 403
    await world.post("/forgot-password", {"email": "victim@example.com"})
    reset = {"token": await world.mailed_token("victim@example.com"), "new_password": OWN["password"]}
    assert (await world.post("/reset-password", reset)).status_code == 200
    await world.log_in(**OWN)


async def trojan(world: Any) -> str:
    """An attacker asks to move an account of his own to the victim's address; the mailed token."""
    await world.post("/register", ALICE)
    own = await world.mailed_token(ALICE["email"])
    assert (await world.post("/verify", {"token": own, "password": ALICE["password"]})).status_code == 200
    body = {"new_email": PLANTED["email"], "current_password": ALICE["password"]}
    assert (await world.post("/change-email", body, await world.log_in())).status_code == 202
    return str(await world.mailed_token(PLANTED["email"]))


async def test_nobody_moves_an_account_of_their_own_to_an_address_whose_owner_confirms(world: Any) -> None:
    body = {"token": await trojan(world), "password": OWN["password"]}
    assert (await world.post("/confirm-email-change", body)).status_code == 400
    assert await world.rs.users.get_by_email(PLANTED["email"]) is None
    right = body | {"password": ALICE["password"]}
    assert (await world.post("/confirm-email-change", right)).json()["email"] == PLANTED["email"]


async def test_without_the_password_no_address_is_confirmed_where_it_is_required(make_world: Any) -> None:
    world = await make_world(verification_requires_password=True)
    body = {"token": await trojan(world)}
    assert (await world.post("/confirm-email-change", body)).status_code == 400
    assert await world.rs.users.get_by_email(PLANTED["email"]) is None
    right = body | {"password": ALICE["password"]}
    assert (await world.post("/confirm-email-change", right)).status_code == 200


async def test_the_token_of_a_new_address_is_no_way_to_guess_the_password(world: Any) -> None:
    token = await trojan(world)
    bodies = [{"token": token, "password": f"guess {n}"} for n in range(20)]
    answers = await asyncio.gather(*(world.post("/confirm-email-change", body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [400] * 5 + [429] * 15


async def test_a_token_of_ones_own_making_is_no_way_to_guess_a_password(world: Any) -> None:
    mailed = await trojan(world)
    user = await world.rs.users.get_by_email("alice@example.com")
    nobody = "01890000-0000-7000-8000-000000000000"
    made = [f"{owner}{n:043}{mailed[-64:]}" for n in range(10) for owner in (user.id, nobody)]
    answers = [
        await world.post("/confirm-email-change", {"token": token, "password": password})
        for token in [*made, user.id, "unknown", mailed[:-1], "é" * 143]
        for password in ("a guess", ALICE["password"])
    ]
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    assert answers[0].status_code == 400


async def test_wrong_passwords_of_strangers_stop_no_confirmation(world: Any) -> None:
    await world.post("/register", OWN)
    for n in range(6):
        await world.at("203.0.113.6").post("/login", OWN | {"password": f"guess {n}"})
    body = {"token": await world.mailed_token(OWN["email"]), "password": OWN["password"]}
    assert (await world.post("/verify", body)).status_code == 200


async def test_wrong_passwords_of_strangers_stop_no_change_of_address(world: Any) -> None:
    token = await trojan(world)
    for n in range(6):
        for email in (ALICE["email"], PLANTED["email"]):
            await world.at("203.0.113.6").post("/login", {"email": email, "password": f"guess {n}"})
    body = {"token": token, "password": ALICE["password"]}
    elsewhere = world.at("203.0.113.7")  # no place that the owner is known by
    assert (await elsewhere.post("/confirm-email-change", body)).status_code == 200
