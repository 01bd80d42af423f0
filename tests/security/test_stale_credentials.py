"""Nothing that was handed out before a change of password, address or standing works after it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from regstack.errors import AccountDisabled, UserAlreadyExistsError

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
NEW = "another long password"


class Gate:
    """Holds the work after the answers until it is opened, as a busy worker would."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._opened = asyncio.Event()
        world.rs._background.put(self._opened.wait, label="gate")

    async def open(self) -> None:
        self._opened.set()
        assert await self._world.rs.drain()


async def set_active(world: Any, user: dict[str, Any], active: bool) -> None:
    await world.rs.users.set_flags(user["id"], is_active=active)


async def test_a_link_to_a_new_address_dies_with_the_account_s_standing(world: Any) -> None:
    user = await world.account()
    body = {"new_email": "thief@example.com", "current_password": ALICE["password"]}
    await world.post("/change-email", body, await world.log_in())
    link = await world.mailed_token("thief@example.com")
    await set_active(world, user, False)
    assert (await world.post("/confirm-email-change", {"token": link})).status_code == 400
    await set_active(world, user, True)
    assert (await world.post("/confirm-email-change", {"token": link})).status_code == 400


async def test_a_reset_link_dies_with_the_account_s_standing(world: Any) -> None:
    user = await world.account()
    await world.post("/forgot-password", {"email": ALICE["email"]})
    body = {"token": await world.mailed_token(ALICE["email"]), "new_password": NEW}
    await set_active(world, user, False)
    assert (await world.post("/reset-password", body)).status_code == 400
    await set_active(world, user, True)
    assert (await world.post("/reset-password", body)).status_code == 400


async def test_a_reset_asked_for_before_a_change_of_address_sends_nothing_after_it(world: Any) -> None:
    await world.account()
    body = {"new_email": "alice@new.example.com", "current_password": ALICE["password"]}
    await world.post("/change-email", body, await world.log_in())
    link = await world.mailed_token("alice@new.example.com")
    before = len(await world.mails(ALICE["email"]))
    gate = Gate(world)
    await world.post("/forgot-password", {"email": ALICE["email"]})
    assert (await world.post("/confirm-email-change", {"token": link})).status_code == 200
    await gate.open()
    assert len(await world.mails(ALICE["email"])) == before


async def test_a_reset_asked_for_before_a_change_of_password_sends_nothing_after_it(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    gate = Gate(world)
    await world.post("/forgot-password", {"email": ALICE["email"]})
    body = {"current_password": ALICE["password"], "new_password": NEW}
    assert (await world.post("/change-password", body, token)).status_code == 200
    await gate.open()
    assert all("token=" not in mail.text for mail in (await world.mails(ALICE["email"]))[1:])


async def test_an_account_deleted_while_its_verification_mail_waits_stays_deleted(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    await world.post("/register", ALICE)
    token = await world.log_in()
    gate = Gate(world)
    await world.post("/resend-verification", {"email": ALICE["email"]})
    body = {"current_password": ALICE["password"]}
    assert (await world.call("DELETE", "/account", body, token)).status_code == 200
    await gate.open()
    link = await world.mailed_token(ALICE["email"])
    assert (await world.post("/verify", {"token": link})).status_code == 400
    assert (await world.get("/me", token)).status_code == 401
    assert await world.rs.users.count() == 0


async def test_confirming_an_unverified_account_ends_the_sessions_it_had(make_world: Any) -> None:
    world = await make_world(require_verification=False)
    await world.post("/register", ALICE)
    squatter = await world.log_in()
    await world.post("/resend-verification", {"email": ALICE["email"]})
    assert (
        await world.post("/verify", {"token": await world.mailed_token(ALICE["email"])})
    ).status_code == 200
    assert (await world.get("/me", squatter)).status_code == 401


async def test_a_session_of_an_unverified_account_ends_when_verification_is_required(make_world: Any) -> None:
    lax = await make_world(require_verification=False)
    await lax.post("/register", ALICE)
    token = await lax.log_in()
    assert (await lax.get("/me", token)).status_code == 200
    lax.rs.services.sessions._require_verification = True
    assert (await lax.get("/me", token)).status_code == 401


async def test_a_squatter_of_the_administrator_s_address_is_shut_out(make_world: Any) -> None:
    world = await make_world(require_verification=False, enable_admin_router=True)
    await world.post("/register", ALICE)
    squatter = await world.log_in()
    admin = await world.rs.bootstrap_admin(ALICE["email"], NEW)
    assert admin.is_superuser
    assert (await world.get("/me", squatter)).status_code == 401
    assert (await world.post("/login", ALICE)).status_code == 401
    assert (await world.get("/admin/stats", await world.log_in(password=NEW))).status_code == 200


@pytest.mark.parametrize("before", ["set_password", "set_flags"])
async def test_who_moves_the_account_meanwhile_is_no_administrator(
    make_world: Any, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    world = await make_world(require_verification=False)
    user = (await world.post("/register", ALICE)).json()
    await world.rs.users.set_flags(user["id"], is_verified=before == "set_flags")
    squatter = await world.log_in()
    moved = {"new_email": "mallory@example.com", "current_password": ALICE["password"]}
    assert (await world.post("/change-email", moved, squatter)).status_code == 202
    link = {"token": await world.mailed_token("mallory@example.com")}
    write = getattr(world.rs.users, before)

    async def late(*args: Any, **named: Any) -> Any:
        monkeypatch.undo()
        assert (await world.post("/confirm-email-change", link)).status_code == 200
        return await write(*args, **named)

    monkeypatch.setattr(world.rs.users, before, late)
    with pytest.raises(UserAlreadyExistsError, match="changed elsewhere"):
        await world.rs.bootstrap_admin(ALICE["email"], NEW)
    assert not (await world.rs.users.get_by_email("mallory@example.com")).is_superuser
    admin = await world.rs.bootstrap_admin(ALICE["email"], NEW)
    assert (admin.email, admin.is_superuser) == (ALICE["email"], True)


async def test_a_disabled_account_is_not_made_an_administrator_in_passing(world: Any) -> None:
    user = await world.account()
    await set_active(world, user, False)
    with pytest.raises(AccountDisabled):
        await world.rs.bootstrap_admin(ALICE["email"], NEW)
    assert not (await world.rs.users.get_by_id(user["id"])).is_superuser


async def test_a_deletion_authorised_by_the_old_password_loses_against_a_reset(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account()
    thief = await world.log_in()
    await world.post("/forgot-password", {"email": ALICE["email"]})
    reset = {"token": await world.mailed_token(ALICE["email"]), "new_password": NEW}
    verify = world.rs.password_hasher.verify

    async def slow(*args: Any) -> Any:
        check = await verify(*args)
        monkeypatch.undo()
        assert (await world.post("/reset-password", reset)).status_code == 200
        return check

    monkeypatch.setattr(world.rs.password_hasher, "verify", slow)
    body = {"current_password": ALICE["password"]}
    assert (await world.call("DELETE", "/account", body, thief)).status_code == 401
    await world.log_in(password=NEW)


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


async def end_by_password(world: Any, user: dict[str, Any], token: str) -> None:
    body = {"current_password": ALICE["password"], "new_password": NEW}
    assert (await world.post("/change-password", body, token)).status_code == 200


async def end_by_reset(world: Any, user: dict[str, Any], token: str) -> None:
    await world.post("/forgot-password", {"email": ALICE["email"]})
    body = {"token": await world.mailed_token(ALICE["email"]), "new_password": NEW}
    assert (await world.post("/reset-password", body)).status_code == 200


async def end_by_disabling(world: Any, user: dict[str, Any], token: str) -> None:
    await set_active(world, user, False)


async def end_by_disabling_for_a_moment(world: Any, user: dict[str, Any], token: str) -> None:
    await set_active(world, user, False)
    await set_active(world, user, True)


async def end_by_deletion(world: Any, user: dict[str, Any], token: str) -> None:
    body = {"current_password": ALICE["password"]}
    assert (await world.call("DELETE", "/account", body, token)).status_code == 200


async def end_by_a_new_address(world: Any, user: dict[str, Any], token: str) -> None:
    body = {"new_email": "alice@new.example.com", "current_password": ALICE["password"]}
    await world.post("/change-email", body, token)
    link = await world.mailed_token("alice@new.example.com")
    assert (await world.post("/confirm-email-change", {"token": link})).status_code == 200


ENDS = [
    end_by_password,
    end_by_reset,
    end_by_disabling,
    end_by_disabling_for_a_moment,
    end_by_deletion,
    end_by_a_new_address,
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_what_ends_sessions_ends_every_credential_on_every_worker(
    workers: tuple[Any, Any], end: Any
) -> None:
    first, second = workers
    user = await first.account()
    calling, elsewhere = await first.log_in(), await second.log_in()
    await second.post("/forgot-password", {"email": ALICE["email"]})
    reset = {"token": await second.mailed_token(ALICE["email"]), "new_password": "the thief's own choice"}
    body = {"new_email": "thief@example.com", "current_password": ALICE["password"]}
    if end is not end_by_a_new_address:
        assert (await second.post("/change-email", body, elsewhere)).status_code == 202
    for worker in workers:
        assert (await worker.get("/me", calling)).status_code == 200
        assert (await worker.get("/me", elsewhere)).status_code == 200
    await end(first, user, calling)
    for worker in workers:
        for token in (calling, elsewhere):
            assert (await worker.get("/me", token)).status_code == 401
        if end is not end_by_reset:
            assert (await worker.post("/reset-password", reset)).status_code == 400
    if end is not end_by_a_new_address:
        link = {"token": await second.mailed_token("thief@example.com")}
        assert (await second.post("/confirm-email-change", link)).status_code == 400


async def test_a_logout_ends_one_session_on_every_worker(workers: tuple[Any, Any]) -> None:
    first, second = workers
    await first.account()
    ended, other = await first.log_in(), await second.log_in()
    assert (await first.post("/logout", token=ended)).status_code == 200
    for worker in workers:
        assert (await worker.get("/me", ended)).status_code == 401
        assert (await worker.get("/me", other)).status_code == 200


async def test_only_the_newest_link_of_a_kind_works(world: Any) -> None:
    await world.account()
    links = []
    for _ in range(3):
        await world.post("/forgot-password", {"email": ALICE["email"]})
        links.append(await world.mailed_token(ALICE["email"]))
    statuses = [
        (await world.post("/reset-password", {"token": link, "new_password": NEW})).status_code
        for link in links
    ]
    assert statuses == [400, 400, 200]
    token = await world.log_in(password=NEW)
    links = []
    for _ in range(3):
        body = {"new_email": "alice@new.example.com", "current_password": NEW}
        await world.post("/change-email", body, token)
        links.append(await world.mailed_token("alice@new.example.com"))
    statuses = [(await world.post("/confirm-email-change", {"token": link})).status_code for link in links]
    assert statuses == [400, 400, 200]


async def test_a_disabled_account_is_out_whatever_version_its_token_carries(world: Any) -> None:
    user = await world.account()
    await set_active(world, user, False)
    stored = await world.rs.users.get_by_id(user["id"])
    assert (await world.get("/me", world.rs.services.sessions.issue(stored).text)).status_code == 401
    assert (await world.post("/login", ALICE)).status_code == 403
