"""Hashing stalls nobody, and a storm of it shuts nobody out."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import argon2
import pytest

pytestmark = pytest.mark.anyio

SECRET = "my secret passphrase"
ALICE = {"email": "alice@example.com", "password": "correct horse battery"}


async def test_argon2_never_runs_on_the_event_loop(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_loop = threading.get_ident()
    calls = []
    for name in ("hash", "verify"):
        original = getattr(argon2.PasswordHasher, name)

        def spy(*args: Any, original: Any = original, **kwargs: Any) -> Any:
            calls.append(threading.get_ident())
            return original(*args, **kwargs)

        monkeypatch.setattr(argon2.PasswordHasher, name, spy)
    world = await make_world()
    await world.account()
    token = await world.log_in()
    body = {"current_password": "correct horse battery", "new_password": "another long password"}
    await world.post("/change-password", body, token)
    await world.post("/login", {"email": "nobody@example.com", "password": SECRET})
    assert len(calls) >= 5
    assert on_the_loop not in calls


async def test_more_logins_than_may_wait_are_turned_away_with_a_503(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(password_hash_threads=1, password_hash_queue_size=1)
    gate = threading.Event()
    original = argon2.PasswordHasher.verify

    def wait(*args: Any, **kwargs: Any) -> Any:
        assert gate.wait(10)
        return original(*args, **kwargs)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", wait)
    answers = []

    async def log_in(number: int) -> None:
        answers.append(await world.post("/login", {"email": f"user{number}@example.com", "password": SECRET}))
        if answers[-1].status_code == 503:
            gate.set()

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(log_in, number)
    assert [answer.status_code for answer in answers].count(503) >= 1
    assert [answer.status_code for answer in answers].count(401) >= 2
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)


async def test_a_storm_of_logins_does_not_lock_out_who_was_only_turned_away(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world()
    await world.account()
    hasher = world.rs.password_hasher
    monkeypatch.setattr(hasher, "_busy", hasher._capacity)
    for _ in range(10):
        assert (await world.post("/login", ALICE)).status_code == 503
    monkeypatch.undo()
    await world.log_in()
