"""A mailed token works once, on whichever worker it comes in, and for nothing but its own purpose."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}


async def at_once(calls: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


async def test_fifty_pending_registrations_of_one_address_leave_one_good_link(world: Any) -> None:
    assert await at_once([world.post("/register", ALICE) for _ in range(50)]) == {201: 50}
    assert await world.rs.pending.count_unexpired() == 1
    links = [mail.text.partition("token=")[2].split()[0] for mail in await world.mails("alice@example.com")]
    assert len(set(links)) == 50
    assert await at_once([world.post("/verify", {"token": link}) for link in links]) == {200: 1, 400: 49}
    assert await world.rs.users.count() == 1


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


async def test_a_token_for_a_new_address_sent_fifty_times_at_once_works_once(world: Any) -> None:
    await world.account()
    body = {"new_email": "alice@new.example.com", "current_password": ALICE["password"]}
    await world.post("/change-email", body, await world.log_in())
    token = await world.mailed_token("alice@new.example.com")
    assert await at_once([world.post("/confirm-email-change", {"token": token}) for _ in range(50)]) == {
        200: 1,
        400: 49,
    }


async def test_a_token_sent_to_two_workers_at_once_works_on_one(workers: tuple[Any, Any]) -> None:
    first, second = workers
    await first.post("/register", ALICE)
    token = {"token": await first.mailed_token("alice@example.com")}
    calls = [worker.post("/verify", token) for worker in workers for _ in range(10)]
    assert await at_once(calls) == {200: 1, 400: 19}
    await second.post("/forgot-password", {"email": "alice@example.com"})
    token = {"token": await second.mailed_token("alice@example.com"), "new_password": "another long password"}
    calls = [worker.post("/reset-password", token) for worker in workers for _ in range(10)]
    assert await at_once(calls) == {200: 1, 400: 19}


async def test_a_reset_token_is_burnt_although_its_user_sets_the_same_password_again(world: Any) -> None:
    await world.account()
    await world.post("/forgot-password", {"email": "alice@example.com"})
    body = {"token": await world.mailed_token("alice@example.com"), "new_password": ALICE["password"]}
    assert (await world.post("/reset-password", body)).status_code == 200
    assert (await world.post("/reset-password", body)).status_code == 400


async def test_a_token_of_one_purpose_is_none_of_another(world: Any) -> None:
    await world.post("/register", ALICE | {"email": "bob@example.com"})
    await world.account()
    await world.post("/forgot-password", {"email": "alice@example.com"})
    tokens = {"/verify": await world.mailed_token("bob@example.com")}
    tokens["/reset-password"] = await world.mailed_token("alice@example.com")
    body = {"new_email": "alice@new.example.com", "current_password": ALICE["password"]}
    session = await world.log_in()
    await world.post("/change-email", body, session)
    tokens["/confirm-email-change"] = await world.mailed_token("alice@new.example.com")
    further = {"/reset-password": {"new_password": "another long password"}}
    for own, token in tokens.items():
        for path in tokens.keys() - {own}:
            answer = await world.post(path, {"token": token} | further.get(path, {}))
            assert answer.status_code == 400, (own, path)
        assert (await world.get("/me", token)).status_code == 401
    assert (await world.post("/verify", {"token": session})).status_code in {400, 422}
    for path, token in sorted(tokens.items(), reverse=True):
        answer = await world.post(path, {"token": token} | further.get(path, {}))
        # The reset ends what else was handed out for Alice; the change of address goes last.
        assert answer.status_code == (400 if path == "/confirm-email-change" else 200), path


async def test_storage_never_sees_a_token_that_could_be_used(world: Any, monkeypatch: Any) -> None:
    seen: list[str] = []
    for name in ("put_reset_token", "put_email_change", "create_from_pending", "reset_password"):
        original = getattr(world.rs.users, name)

        async def spy(*args: Any, original: Any = original, **kwargs: Any) -> Any:
            seen.append(repr((args, kwargs)))
            return await original(*args, **kwargs)

        monkeypatch.setattr(world.rs.users, name, spy)
    await world.post("/register", ALICE)
    tokens = [await world.mailed_token("alice@example.com")]
    await world.post("/verify", {"token": tokens[0]})
    await world.post("/forgot-password", {"email": "alice@example.com"})
    tokens.append(await world.mailed_token("alice@example.com"))
    await world.post("/reset-password", {"token": tokens[1], "new_password": "another long password"})
    assert len(seen) == 3
    assert not [call for call in seen for token in tokens if token in call]


async def test_no_two_tokens_are_alike_and_none_can_be_guessed(world: Any) -> None:
    await world.account()
    tokens = set()
    for _ in range(20):
        await world.post("/forgot-password", {"email": "alice@example.com"})
        tokens.add(await world.mailed_token("alice@example.com"))
    assert len(tokens) == 20
    # 256 bits are 43 characters of six bits each.
    assert {len(token) for token in tokens} == {43}
