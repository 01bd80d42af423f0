"""An application is never left without an administrator."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}


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


async def test_the_last_one_can_neither_be_removed_nor_remove_himself(make_world: Any) -> None:
    world = await make_world(enable_admin_router=True)
    root = await world.rs.bootstrap_admin(*ALICE.values())
    token = await world.log_in()
    path = f"/admin/users/{root.id}"
    for method, target, body in [
        ("PATCH", path, {"is_superuser": False}),
        ("PATCH", path, {"is_active": False}),
        ("PATCH", path, {"is_active": False, "is_superuser": False, "full_name": "x"}),
        ("DELETE", path, None),
        ("DELETE", "/account", {"current_password": ALICE["password"]}),
    ]:
        assert (await world.call(method, target, body, token)).status_code == 409, (method, body)
    stored = (await world.get("/me", token)).json()
    assert (stored["is_superuser"], stored["is_active"], stored["full_name"]) == (True, True, None)


async def test_an_administrator_who_is_disabled_does_not_count(make_world: Any) -> None:
    world = await make_world(enable_admin_router=True)
    root = await world.rs.bootstrap_admin(*ALICE.values())
    other = await world.rs.bootstrap_admin("other@example.com", ALICE["password"])
    token = await world.log_in()
    answer = await world.call("PATCH", f"/admin/users/{other.id}", {"is_active": False}, token)
    assert answer.status_code == 200
    answer = await world.call("PATCH", f"/admin/users/{root.id}", {"is_superuser": False}, token)
    assert answer.status_code == 409


async def test_administrators_who_delete_themselves_at_once_leave_one(make_world: Any) -> None:
    world = await make_world(enable_admin_router=True)
    names = [f"admin{number}@example.com" for number in range(4)]
    for name in names:
        await world.rs.bootstrap_admin(name, ALICE["password"])
    tokens = [await world.log_in(name) for name in names]
    body = {"current_password": ALICE["password"]}
    answers = await asyncio.gather(*(world.call("DELETE", "/account", body, token) for token in tokens))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 409]
    assert await world.rs.users.count(is_superuser=True, is_active=True) == 1


async def test_nobody_makes_himself_an_administrator(world: Any) -> None:
    flags = {"is_superuser": True, "is_active": True, "is_verified": True}
    for flag in flags:
        assert (await world.post("/register", ALICE | {flag: True})).status_code == 422
    await world.account()
    token = await world.log_in()
    for flag in (*flags, "token_version", "id", "email", "hashed_password"):
        assert (await world.call("PATCH", "/me", {flag: True}, token)).status_code == 422
    me = (await world.get("/me", token)).json()
    assert me["is_superuser"] is False


async def test_a_new_application_has_no_account_that_somebody_could_know(make_world: Any) -> None:
    world = await make_world(enable_admin_router=True)
    assert await world.rs.users.count() == 0
    for name in ("admin", "root", "administrator", "test"):
        for password in ("admin", "root", "password", name):
            body = {"email": f"{name}@example.com", "password": password}
            assert (await world.post("/login", body)).status_code in {401, 429}
