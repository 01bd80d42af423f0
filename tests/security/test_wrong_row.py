"""Whoever names the right address and a wrong secret gets nothing, even if storage finds the wrong row."""

from __future__ import annotations

from typing import Any

import pytest

from regstack.auth.one_time import new_token
from regstack.models.user import LoginSubject, TokenSubject

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
NEW = "another long password"


async def test_a_wrong_token_with_the_right_address_misses(world: Any) -> None:
    await world.post("/register", {"email": "alice@example.com", "password": PASSWORD})
    await world.account("bob@example.com")
    await world.post("/forgot-password", {"email": "bob@example.com"})
    for path, email, further in [
        ("/verify", "alice@example.com", {}),
        ("/reset-password", "bob@example.com", {"new_password": NEW}),
    ]:
        for token in (new_token(), email, "", "*", "%"):
            body = {"token": token} | further
            assert (await world.post(path, body)).status_code in {400, 422}
            assert (await world.post(path, body | {"email": email})).status_code == 422
    assert await world.rs.users.get_by_email("alice@example.com") is None
    await world.log_in("bob@example.com")


async def test_somebody_else_s_token_changes_nothing_of_mine(world: Any) -> None:
    for name in ("alice", "bob"):
        await world.account(f"{name}@example.com")
        await world.post("/forgot-password", {"email": f"{name}@example.com"})
    body = {"token": await world.mailed_token("bob@example.com"), "new_password": NEW}
    assert (await world.post("/reset-password", body)).status_code == 200
    await world.log_in("alice@example.com")
    await world.log_in("bob@example.com", NEW)


async def test_a_sign_in_whose_row_belongs_to_another_address_is_refused(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account("mallory@example.com", "a password of my own")
    mallory = await world.rs.users.get_by_email("mallory@example.com")

    async def find(*args: Any) -> LoginSubject:
        return LoginSubject(user=mallory, pending=None)

    monkeypatch.setattr(world.rs.users, "find_login_subject", find)
    body = {"email": "alice@example.com", "password": "a password of my own"}
    assert (await world.post("/login", body)).status_code == 401
    assert (await world.post("/login", body | {"email": "mallory@example.com"})).status_code == 200


async def test_a_session_whose_row_is_another_account_s_is_refused(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account("root@example.com")
    root = await world.rs.users.get_by_email("root@example.com")
    await world.account()
    token = await world.log_in()

    async def find(*args: Any, **kwargs: Any) -> TokenSubject:
        return TokenSubject(user=root, revoked=False)

    monkeypatch.setattr(world.rs.users, "get_token_subject", find)
    assert (await world.get("/me", token)).status_code == 401
    assert (await world.get("/me", await world.log_in("root@example.com"))).status_code == 200
