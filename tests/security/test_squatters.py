"""Accounts that somebody else made first, and owners who come by social sign-in (row 5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from regstack.models.ids import new_id
from regstack.models.oauth_identity import OAuthIdentity
from tests.social import Browser, auto_linking, identities, person, providers, query_of

pytestmark = pytest.mark.anyio

ALICE = "alice@example.com"
PASSWORD = "correct horse battery"
EXPIRED = {"error": "expired"}


@pytest.fixture
async def world(make_world: Any) -> Any:
    return await make_world(enable_oauth=True, oauth_providers=providers())


async def test_all_ways_of_a_squatter_into_an_account_end_when_the_owner_comes(make_world: Any) -> None:
    world = await make_world(**auto_linking(require_verification=False))
    body = {"email": ALICE, "password": PASSWORD, "full_name": "Mallory"}
    user = (await world.post("/register", body)).json()
    session, squatter = await world.log_in(), Browser(world)
    # All that an earlier version, or a host, may have let through.
    await world.rs.oauth_identities.create(
        OAuthIdentity(
            id=new_id(world.clock),
            user_id=user["id"],
            provider="other",
            issuer="https://other.example",
            subject="subject of mallory",
            email=None,
            linked_at=world.clock.now(),
        )
    )
    await world.rs.users.set_second_factor(user["id"], "+41446681800")
    mallory = person("mallory", issuer="https://other.example")
    waiting = await squatter.visit(mallory, "other")
    await world.post(
        "/change-email", {"new_email": "mallory@example.com", "current_password": PASSWORD}, session
    )
    moving = await world.mailed_token("mallory@example.com")

    owner = Browser(world)
    answer = await owner.sign_in(person())
    found = (await world.get("/me", answer["access_token"])).json()
    assert (found["id"], found["email"], found["is_verified"]) == (user["id"], ALICE, True)
    assert (found["phone_number"], found["is_mfa_enabled"]) == (None, False)
    assert (await world.get("/me", session)).status_code == 401
    assert (await world.post("/login", {"email": ALICE, "password": PASSWORD})).status_code == 401
    assert (await squatter.exchange(waiting)).status_code == 404
    assert (await world.post("/confirm-email-change", {"token": moving})).status_code == 400
    assert await identities(world) == ["subject of alice"]
    again = await squatter.sign_in(mallory, "other")
    assert again["was_new_account"] is True


async def test_a_squatter_cannot_link_an_identity_that_would_outlive_a_reset(make_world: Any) -> None:
    """The trojan identifier: a way in that the owner, who resets the password, does not know of."""
    world = await make_world(enable_oauth=True, oauth_providers=providers(), require_verification=False)
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    answer = await world.post("/oauth/acme/link/start", token=await world.log_in())
    assert answer.status_code == 403


async def test_a_link_that_a_squatter_began_does_not_land_after_the_owner_came(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(**auto_linking(require_verification=False))
    user = (await world.post("/register", {"email": ALICE, "password": PASSWORD})).json()
    await world.rs.users.set_flags(user["id"], is_verified=True)
    squatter, owner = Browser(world), Browser(world)
    url = await squatter.start_link(await world.log_in(), "other")
    await world.rs.users.set_flags(user["id"], is_verified=False)
    mallory = person("mallory", issuer="https://other.example")
    params = squatter.provider("other").consent(url, mallory)
    create = world.rs.oauth_identities.create
    await world.rs.users.set_flags(user["id"], is_verified=True)

    async def slow(*args: Any, **named: Any) -> Any:
        monkeypatch.undo()
        await world.rs.users.set_flags(user["id"], is_verified=False)
        await owner.sign_in(person())
        return await create(*args, **named)

    monkeypatch.setattr(world.rs.oauth_identities, "create", slow)
    assert query_of(await squatter.come_back(params, "other")) == EXPIRED
    assert await identities(world) == ["subject of alice"]


async def test_an_unlink_that_a_squatter_began_takes_nothing_from_the_owner(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(**auto_linking(require_verification=False))
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    token, owner = await world.log_in(), Browser(world)
    linked = world.rs.oauth_identities.list_for_user

    async def late(user_id: str) -> Any:
        monkeypatch.undo()
        await asyncio.sleep(0)  # the account is read first
        await owner.sign_in(person())
        return await linked(user_id)

    monkeypatch.setattr(world.rs.oauth_identities, "list_for_user", late)
    answer = await world.call("DELETE", "/oauth/acme/link", token=token)
    assert answer.status_code in {400, 401}  # or the account is read as it is by now
    assert await identities(world) == ["subject of alice"]


async def test_sign_ins_of_the_owner_at_once_claim_the_account_once(make_world: Any) -> None:
    world = await make_world(**auto_linking(require_verification=False))
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    browsers = [Browser(world) for _ in range(4)]
    locations = await asyncio.gather(*(browser.visit(person()) for browser in browsers))
    answers = [
        (await browser.exchange(location)).status_code
        for browser, location in zip(browsers, locations, strict=True)
    ]
    assert set(answers) == {200}
    assert await identities(world) == ["subject of alice"]
    assert (await world.rs.users.get_by_email(ALICE)).token_version == 1


async def test_who_saw_the_account_before_it_was_handed_over_does_not_take_it_again(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end the session of the sign-in before, and unlink its identity."""
    world = await make_world(**auto_linking(require_verification=False))
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    first, second = Browser(world), Browser(world)
    hand_over, tokens = world.rs.users.hand_over, []

    async def late(*args: Any, **named: Any) -> Any:
        monkeypatch.undo()
        tokens.append((await first.sign_in(person()))["access_token"])
        return await hand_over(*args, **named)

    monkeypatch.setattr(world.rs.users, "hand_over", late)
    tokens.append((await second.sign_in(person()))["access_token"])
    assert [(await world.get("/me", token)).status_code for token in tokens] == [200, 200]
    assert await identities(world) == ["subject of alice"]


async def test_a_pending_registration_dies_when_the_owner_comes(world: Any) -> None:
    await world.post("/register", {"email": ALICE, "password": PASSWORD})
    link = await world.mailed_token(ALICE)
    answer = await Browser(world).sign_in(person())
    assert answer["was_new_account"] is True
    assert await world.rs.pending.find_by_email(ALICE) is None
    assert (await world.post("/verify", {"token": link})).status_code == 400
    assert (await world.post("/login", {"email": ALICE, "password": PASSWORD})).status_code == 401
