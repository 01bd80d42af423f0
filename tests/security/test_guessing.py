"""Guesses at a password are paid for before they are compared, however many come at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}


async def at_once(calls: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


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
