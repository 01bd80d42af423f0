"""One mailbox is one account however it is spelt, and mail goes to the address that is stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
ONE_MAILBOX = [
    ("Alice@Example.com", "alice@example.com"),
    ("bob@example.com", "ｂｏｂ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
    ("zo\u00e9@example.com", "zoe\u0301@example.com"),
    ("stra\u00dfe@example.com", "STRASSE@example.com"),
    ("kelvin@example.com", "\u212aelvin@example.com"),
    ("fin@example.com", "\ufb01n@example.com"),
    ("a@b\u00fccher.example.org", "a@xn--bcher-kva.example.org"),
    ("carol@example.com", "carol@EXAMPLE.COM"),
]
"""Two spellings each that reach the same mailbox, or that a person takes for one another."""


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


async def test_no_spelling_of_a_taken_address_gets_an_account_of_its_own(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    for one, other in ONE_MAILBOX:
        assert (await world.post("/register", ALICE | {"email": one})).status_code == 201, one
        assert (await world.post("/register", ALICE | {"email": other})).status_code == 409, other
    assert await world.rs.users.count() == len(ONE_MAILBOX)


async def test_every_spelling_of_an_address_signs_in_to_the_same_account(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    for one, other in ONE_MAILBOX:
        user = (await world.post("/register", ALICE | {"email": one})).json()
        token = await world.log_in(other)
        assert (await world.get("/me", token)).json()["id"] == user["id"], other


async def test_guesses_at_all_spellings_of_an_address_count_together(world: Any) -> None:
    await world.account()
    spellings = ["alice@example.com", "ALICE@example.com", "Alice@EXAMPLE.com", "ａｌｉｃｅ＠example.com"]
    calls = [world.post("/login", {"email": each, "password": "wrong"}) for each in spellings * 5]
    assert await at_once(calls) == {401: 5, 429: 15}


async def test_no_account_moves_to_a_spelling_of_a_taken_address(world: Any) -> None:
    await world.account()
    await world.account("mallory@example.com")
    token = await world.log_in("mallory@example.com")
    body = {"new_email": "ＡＬＩＣＥ@example.com", "current_password": ALICE["password"]}
    assert (await world.post("/change-email", body, token)).status_code == 202
    assert await world.rs.drain()
    assert [mail.to for mail in world.outbox.outbox].count("mallory@example.com") == 2
    assert not [mail for mail in world.outbox.outbox[-2:] if "confirm-email-change" in mail.text]


async def test_an_invisible_character_makes_no_second_address(world: Any) -> None:
    await world.account()
    for hidden in ("\u200b", "\u00ad", "\u2060", "\ufe0f", "\u3164", "\u202e", "\0"):
        answer = await world.post("/register", ALICE | {"email": f"al{hidden}ice@example.com"})
        assert answer.status_code == 422, repr(hidden)


async def test_mail_goes_to_the_stored_address_and_never_to_the_one_typed(make_world: Any) -> None:
    stored, typed = "mike@example.org", "mi\u212ae@example.org"
    world = await make_world(quiet_registration=True)
    await world.account(stored)
    for path, body in [
        ("/forgot-password", {"email": typed}),
        ("/register", ALICE | {"email": typed}),
        ("/forgot-password", {"email": "ＭＩＫＥ＠example.org"}),
    ]:
        before = len(world.outbox.outbox)
        await world.post(path, body)
        assert await world.rs.drain()
        assert [mail.to for mail in world.outbox.outbox[before:]] == [stored], path
    await world.post("/register", ALICE | {"email": "bike@example.org"})
    assert await world.rs.drain()
    await world.post("/resend-verification", {"email": "bi\u212ae@example.org"})
    assert [mail.to for mail in (await world.mails("bike@example.org"))] == ["bike@example.org"] * 2
    assert not [mail for mail in world.outbox.outbox if not mail.to.isascii()]
