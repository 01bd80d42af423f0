from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
NOBODY = "01890a5d-ac96-7000-8000-000000000000"


@pytest.fixture
async def world(make_world: Any) -> Any:
    world = await make_world(enable_admin_router=True)
    await world.rs.bootstrap_admin("root@example.com", PASSWORD)
    return world


@pytest.fixture
async def admin(world: Any) -> str:
    return str(await world.log_in("root@example.com"))


async def test_only_administrators_get_in(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    for method, path in [
        ("GET", "/admin/stats"),
        ("GET", "/admin/users"),
        ("GET", f"/admin/users/{NOBODY}"),
        ("PATCH", f"/admin/users/{NOBODY}"),
        ("DELETE", f"/admin/users/{NOBODY}"),
        ("POST", f"/admin/users/{NOBODY}/resend-verification"),
        ("POST", "/admin/pending/a@example.com/promote"),
    ]:
        assert (await world.call(method, path)).status_code == 401
        assert (await world.call(method, path, token=token)).status_code == 403


async def test_the_counts_are_right(world: Any, admin: str) -> None:
    await world.account()
    await world.post("/register", {"email": "bob@example.com", "password": PASSWORD})
    assert (await world.get("/admin/stats", admin)).json() == {
        "total_users": 2,
        "active_users": 2,
        "verified_users": 2,
        "superusers": 1,
        "pending_registrations": 1,
    }


async def test_pages_by_skip_and_by_after_show_the_same_accounts(world: Any, admin: str) -> None:
    for number in range(5):
        await world.account(f"user{number}@example.com")
    first = (await world.get("/admin/users?limit=4", admin)).json()
    assert (first["total"], first["skip"], first["limit"], len(first["items"])) == (6, 0, 4, 4)
    by_skip = (await world.get("/admin/users?limit=4&skip=4", admin)).json()
    by_after = (await world.get(f"/admin/users?limit=4&after={first['next']}", admin)).json()
    assert by_after["items"] == by_skip["items"]
    assert by_after["total"] is None
    assert by_after["next"] is by_skip["next"] is None
    assert len({user["id"] for user in first["items"] + by_skip["items"]}) == 6
    uncounted = (await world.get("/admin/users?limit=4&after=", admin)).json()
    assert uncounted == first | {"total": None}


async def test_search_finds_prefixes_of_addresses_and_names_in_any_case(world: Any, admin: str) -> None:
    await world.account("Zoe@example.com")
    user = (await world.get("/admin/users?search=ZOE", admin)).json()["items"][0]
    await world.call("PATCH", f"/admin/users/{user['id']}", {"full_name": "Élodie"}, admin)
    for search in ("zoe@", "ÉLO", "élodie"):
        found = (
            await world.client.get(
                "/api/auth/admin/users",
                params={"search": search},
                headers={"Authorization": f"Bearer {admin}"},
            )
        ).json()
        assert [each["id"] for each in found["items"]] == [user["id"]]
        assert found["total"] == 1
    for search in ("%", "_", ".*", "oe@"):
        found = (
            await world.client.get(
                "/api/auth/admin/users",
                params={"search": search},
                headers={"Authorization": f"Bearer {admin}"},
            )
        ).json()
        assert found["items"] == []


async def test_limits_outside_of_their_bounds_are_refused(world: Any, admin: str) -> None:
    for query in ("limit=0", "limit=201", "skip=-1", "limit=x"):
        assert (await world.get(f"/admin/users?{query}", admin)).status_code == 422


async def test_a_disabled_account_is_out_at_once_and_old_tokens_stay_dead(world: Any, admin: str) -> None:
    user = await world.account()
    token = await world.log_in()
    path = f"/admin/users/{user['id']}"
    assert (await world.call("PATCH", path, {"is_active": False}, admin)).json()["is_active"] is False
    assert (await world.get("/me", token)).status_code == 401
    assert (await world.call("PATCH", path, {"is_active": True}, admin)).status_code == 200
    assert (await world.get("/me", token)).status_code == 401
    await world.log_in()


async def test_an_account_is_shown_renamed_promoted_and_deleted(world: Any, admin: str) -> None:
    user = await world.account()
    path = f"/admin/users/{user['id']}"
    assert (await world.get(path, admin)).json()["email"] == "alice@example.com"
    changed = (await world.call("PATCH", path, {"full_name": "Alice", "is_superuser": True}, admin)).json()
    assert (changed["full_name"], changed["is_superuser"]) == ("Alice", True)
    assert (await world.call("DELETE", path, token=admin)).status_code == 200
    assert (await world.call("DELETE", path, token=admin)).status_code == 404
    for unknown in (NOBODY, "alice", user["id"].upper(), "%00"):
        assert (await world.get(f"/admin/users/{unknown}", admin)).status_code == 404


async def test_the_last_administrator_stays(world: Any, admin: str) -> None:
    root = (await world.get("/me", admin)).json()
    path = f"/admin/users/{root['id']}"
    for body in ({"is_superuser": False}, {"is_active": False}):
        assert (await world.call("PATCH", path, body, admin)).status_code == 409
    assert (await world.call("DELETE", path, token=admin)).status_code == 409
    own = await world.call("DELETE", "/account", {"current_password": PASSWORD}, admin)
    assert own.status_code == 409
    assert (await world.get("/admin/stats", admin)).json()["superusers"] == 1


async def test_a_pending_registration_is_promoted_once(world: Any, admin: str) -> None:
    await world.post("/register", {"email": "bob@example.com", "password": PASSWORD})
    link = await world.mailed_token("bob@example.com")
    answer = await world.post("/admin/pending/BOB@example.com/promote", token=admin)
    assert answer.status_code == 201
    assert answer.json()["is_verified"] is True
    assert (await world.post("/admin/pending/bob@example.com/promote", token=admin)).status_code == 404
    assert (await world.post("/admin/pending/nobody/promote", token=admin)).status_code == 422
    assert (await world.post("/verify", {"token": link})).status_code == 400
    await world.log_in("bob@example.com")


async def test_the_verification_mail_is_sent_again_only_where_there_is_something_to_verify(
    world: Any, admin: str
) -> None:
    user = await world.account()
    path = f"/admin/users/{user['id']}/resend-verification"
    assert (await world.post(path, token=admin)).status_code == 400
    await world.rs.users.set_flags(user["id"], is_verified=False)
    assert (await world.post(path, token=admin)).status_code == 202
    answer = await world.post("/verify", {"token": await world.mailed_token("alice@example.com")})
    assert answer.json()["id"] == user["id"]


async def test_bootstrapping_an_administrator_may_be_repeated(world: Any) -> None:
    again = await world.rs.bootstrap_admin("ROOT@example.com", "another long password")
    assert again.is_superuser
    assert await world.rs.users.count() == 1
    await world.log_in("root@example.com", PASSWORD)
    user = await world.account("carol@example.com")
    promoted = await world.rs.bootstrap_admin("carol@example.com", "another long password")
    assert (promoted.id, promoted.is_superuser) == (user["id"], True)
