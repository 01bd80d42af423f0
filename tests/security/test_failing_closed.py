"""A guard that cannot be asked lets nobody through."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from regstack.auth.passwords import PasswordCheck
from regstack.errors import BackendUnavailable

pytestmark = pytest.mark.anyio

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
NEW = "another long password"
ANONYMOUS: dict[str, dict[str, Any]] = {
    "/register": ALICE,
    "/verify": {"token": "t" * 43},
    "/resend-verification": {"email": "alice@example.com"},
    "/login": ALICE,
    "/forgot-password": {"email": "alice@example.com"},
    "/reset-password": {"token": "t" * 43, "new_password": NEW},
    "/confirm-email-change": {"token": "t" * 43},
}
SIGNED_IN: dict[tuple[str, str], dict[str, Any] | None] = {
    ("GET", "/me"): None,
    ("PATCH", "/me"): {"full_name": "Mallory"},
    ("POST", "/logout"): None,
    ("POST", "/change-password"): {"current_password": ALICE["password"], "new_password": NEW},
    ("POST", "/change-email"): {"current_password": ALICE["password"], "new_email": "mallory@example.com"},
    ("DELETE", "/account"): {"current_password": ALICE["password"]},
    ("GET", "/admin/stats"): None,
}


async def broken(*args: object, **kwargs: object) -> None:
    raise BackendUnavailable("the server at db.internal:5432 is gone")


def breaks(world: Any, monkeypatch: pytest.MonkeyPatch, *parts: str) -> None:
    """Let every operation of these repositories fail."""
    for part in parts:
        repository = getattr(world.rs, part)
        for name in [name for name in dir(repository) if not name.startswith("_")]:
            if callable(getattr(repository, name)):
                monkeypatch.setattr(repository, name, broken)


@pytest.mark.parametrize("path", ANONYMOUS)
async def test_an_unreachable_database_is_a_503_that_says_when_to_come_back(
    world: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks(world, monkeypatch, "users", "pending", "attempts", "blacklist")
    answer = await world.post(path, ANONYMOUS[path])
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "db.internal" not in answer.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_database_that_stays_locked_is_a_503_in_time_and_works_again_after(
    make_world: Any, database_url: str
) -> None:
    world = await make_world(db_timeout_seconds=0.3)
    await world.account()
    with sqlite3.connect(database_url.partition("///")[2], isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = await world.post(
            "/login", {"email": "alice@example.com", "password": "correct horse battery"}
        )
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        other.execute("ROLLBACK")
    other.close()
    await world.log_in()


async def test_nobody_is_signed_in_by_a_database_that_does_not_answer(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(enable_admin_router=True)
    await world.rs.bootstrap_admin(*ALICE.values())
    token = await world.log_in()
    with monkeypatch.context() as patch:
        breaks(world, patch, "users")
        for (method, path), body in SIGNED_IN.items():
            assert (await world.call(method, path, body, token)).status_code == 503, path
    # The session may be over: a logout that could not read the account has done what it could.
    token = await world.log_in()
    assert (await world.get("/me", token)).json()["full_name"] is None
    await world.log_in()


async def test_no_password_is_compared_where_the_guess_cannot_be_counted(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account()
    token = await world.log_in()
    compared = []

    async def verify(*args: Any) -> PasswordCheck:
        compared.append(args)
        return PasswordCheck(matches=True)

    breaks(world, monkeypatch, "attempts")
    monkeypatch.setattr(world.rs.password_hasher, "verify", verify)
    assert (await world.post("/login", ALICE)).status_code == 503
    for (method, path), body in SIGNED_IN.items():
        if body and "current_password" in body:
            assert (await world.call(method, path, body, token)).status_code == 503, path
    assert not compared


async def test_a_logout_that_was_not_stored_does_not_say_it_was(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account()
    token = await world.log_in()
    with monkeypatch.context() as patch:
        breaks(world, patch, "blacklist")
        assert (await world.post("/logout", token=token)).status_code == 503
    assert (await world.post("/logout", token=token)).status_code == 200
    assert (await world.get("/me", token)).status_code == 401


async def test_a_conditional_write_that_changed_nothing_is_never_taken_for_a_success(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account()
    known = world.rs.services.passwords._reauthentication.of

    @asynccontextmanager
    async def meanwhile(user: Any, password: str) -> AsyncIterator[None]:
        async with known(user, password):
            await world.rs.users.invalidate_tokens(user.id)
            yield

    for (method, path), body in SIGNED_IN.items():
        if body and "current_password" in body:
            token = await world.log_in()
            monkeypatch.setattr(world.rs.services.passwords._reauthentication, "of", meanwhile)
            assert (await world.call(method, path, body, token)).status_code == 401, path
            monkeypatch.undo()
    assert await world.rs.drain()
    assert {mail.to for mail in world.outbox.outbox} == {ALICE["email"]}
    await world.log_in()
