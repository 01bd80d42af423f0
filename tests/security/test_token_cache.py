"""With `token_cache_milliseconds`: what is done here counts here at once, and only reads go by the cache."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regstack.errors import InvalidToken
from tests.backends import ON_MEMORY
from tests.conftest import PASSWORD, World
from tests.everything import everything_on

pytestmark = pytest.mark.anyio

NEW = "another long password"
LONG = {"token_cache_milliseconds": 60_000}
READS = {"GET /me", "GET /oauth/providers"}
"""Routes of the signed-in that show something, change nothing, and may go by what was remembered."""


async def log_out(world: World, token: str, user_id: str) -> None:
    assert (await world.post("/logout", token=token)).is_success


async def change_the_password(world: World, token: str, user_id: str) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await world.post("/change-password", body, token)).is_success


async def reset_the_password(world: World, token: str, user_id: str) -> None:
    await world.post("/forgot-password", {"email": "alice@example.com"})
    body = {"token": await world.mailed_token("alice@example.com"), "new_password": NEW}
    assert (await world.post("/reset-password", body)).is_success


async def move_to_another_address(world: World, token: str, user_id: str) -> None:
    body = {"new_email": "moved@example.com", "current_password": PASSWORD}
    assert (await world.post("/change-email", body, token)).is_success
    link = await world.mailed_token("moved@example.com")
    assert (await world.post("/confirm-email-change", {"token": link})).is_success


async def delete_the_account(world: World, token: str, user_id: str) -> None:
    body = {"current_password": PASSWORD}
    assert (await world.call("DELETE", "/account", body, token)).is_success


async def be_disabled(world: World, token: str, user_id: str) -> None:
    await world.rs.services.administration.update(user_id, is_active=False)


async def be_disabled_by_the_host(world: World, token: str, user_id: str) -> None:
    await world.rs.users.set_flags(user_id, is_active=False)


async def be_revoked_by_the_host(world: World, token: str, user_id: str) -> None:
    claims = world.rs.jwt.check("access", token)
    await world.rs.blacklist.revoke(claims.jti, claims.expires_at)


ENDINGS = [
    log_out,
    change_the_password,
    reset_the_password,
    move_to_another_address,
    delete_the_account,
    be_disabled,
    be_disabled_by_the_host,
    be_revoked_by_the_host,
]


async def remembered(world: World, token: str) -> bool:
    """Say whether a session is known without asking the database."""
    reads = world.rs.backend.users.get_token_subject

    async def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the database was asked")

    world.rs.backend.users.get_token_subject = refuse  # type: ignore[assignment]
    try:
        return (await world.get("/me", token)).status_code == 200
    except AssertionError:
        return False
    finally:
        world.rs.backend.users.get_token_subject = reads  # type: ignore[method-assign]


async def test_what_ends_a_session_on_this_worker_ends_it_here_at_once(make_world: Any) -> None:
    world = await make_world(**LONG)
    for number, end in enumerate(ENDINGS):
        email = "alice@example.com"
        user = await world.account(email)
        token = await world.log_in(email)
        assert (await world.get("/me", token)).status_code == 200
        assert await remembered(world, token)
        await end(world, token, user["id"])
        assert (await world.get("/me", token)).status_code == 401, end.__name__
        # The address is needed again.
        await world.rs.users.delete(user["id"])
        world.clock.advance(timedelta(hours=number + 1))


@ON_MEMORY
async def test_a_change_on_this_worker_shows_here_at_once(world_of_two: tuple[World, World]) -> None:
    here, _ = world_of_two
    await here.account()
    token = await here.log_in()
    assert (await here.get("/me", token)).json()["full_name"] is None
    await here.call("PATCH", "/me", {"full_name": "Alice"}, token)
    assert (await here.get("/me", token)).json()["full_name"] == "Alice"


@pytest.fixture
async def world_of_two(make_world: Any) -> tuple[World, World]:
    """Two workers with everything on that remember for a minute, over one store in memory."""
    settings = everything_on() | LONG | {"base_url": "http://app.example"}
    first = await make_world(**settings)
    second = await make_world(**settings)
    for name in ("users", "pending", "blacklist", "attempts"):
        getattr(second.rs.backend, name)._store = first.rs.backend.store
    return first, second


@ON_MEMORY
async def test_no_route_that_changes_something_goes_by_what_was_remembered(
    world_of_two: tuple[World, World],
) -> None:
    here, elsewhere = world_of_two
    user = await here.account()
    await here.rs.users.set_flags(user["id"], is_superuser=True)
    await here.rs.bootstrap_admin("root@example.com", PASSWORD)
    token = await here.log_in()
    assert (await here.get("/me", token)).status_code == 200
    assert (await elsewhere.post("/logout", token=token)).status_code == 200
    prefix = here.rs.config.api_prefix
    routes = [
        f"{method.upper()} {path.removeprefix(prefix)}"
        for path, operations in here.app.openapi()["paths"].items()
        for method, operation in operations.items()
        if "security" in operation
    ]
    changing = sorted(set(routes) - READS, key=lambda route: route == "POST /logout")
    assert len(changing) >= 15
    for route in changing:  # signing out comes last, since it forgets
        assert await remembered(here, token), route
        method, path = route.split()
        filled = path.format(provider="acme", user_id=user["id"], email="alice@example.com")
        assert (await here.call(method, filled, {}, token)).status_code == 401, route
    with pytest.raises(InvalidToken):
        await here.rs.services.sessions.recognise(token)


@ON_MEMORY
async def test_administration_knows_at_once_who_is_none_any_more(world_of_two: tuple[World, World]) -> None:
    here, elsewhere = world_of_two
    user = await here.account()
    await here.rs.bootstrap_admin("root@example.com", PASSWORD)
    await here.rs.users.set_flags(user["id"], is_superuser=True)
    token = await here.log_in()
    assert (await here.get("/me", token)).json()["is_superuser"]
    assert (await here.get("/admin/stats", token)).status_code == 200
    await elsewhere.rs.users.set_flags(user["id"], is_superuser=False)
    assert (await here.get("/admin/stats", token)).status_code == 403


@ON_MEMORY
async def test_a_remembered_token_dies_at_its_own_expiry(world_of_two: tuple[World, World]) -> None:
    here, _ = world_of_two
    await here.account()
    token = await here.log_in()
    assert await remembered(here, token) is False
    assert (await here.get("/me", token)).status_code == 200
    assert await remembered(here, token)
    here.clock.advance(timedelta(seconds=here.rs.config.jwt_ttl_seconds) - timedelta(milliseconds=1))
    assert await remembered(here, token)
    here.clock.advance(timedelta(milliseconds=1))
    assert (await here.get("/me", token)).status_code == 401


@ON_MEMORY
async def test_without_the_setting_nothing_is_remembered(make_world: Any) -> None:
    world = await make_world()
    await world.account()
    token = await world.log_in()
    for _ in range(2):
        assert (await world.get("/me", token)).status_code == 200
        assert not await remembered(world, token)
    assert world.rs.users is world.rs.backend.users
    assert world.rs.blacklist is world.rs.backend.blacklist
