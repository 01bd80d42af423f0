"""Bad input of every kind gets a clear 4xx at once, and leaves nothing half done."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import Any

import argon2
import pytest

from regstack.errors import BackendUnavailable
from tests.everything import mounted

pytestmark = pytest.mark.anyio

SECRET = "my secret passphrase"
GOOD: dict[str, dict[str, Any]] = {
    "/register": {"email": "new@example.com", "password": SECRET},
    "/verify": {"token": "t" * 43},
    "/resend-verification": {"email": "new@example.com"},
    "/login": {"email": "new@example.com", "password": SECRET},
    "/forgot-password": {"email": "new@example.com"},
    "/reset-password": {"token": "t" * 43, "new_password": SECRET},
    "/confirm-email-change": {"token": "t" * 43},
}


def bad_bodies(good: dict[str, Any]) -> dict[str, bytes]:
    bodies = {
        "nothing": b"",
        "not JSON": b"{",
        "not UTF-8": b'{"email": "\xff\xfe"}',
        "a list": b"[]",
        "a number": b"7",
        "null": b"null",
        "deep": b'{"email":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "a megabyte": b'{"password":"' + b"x" * 1_000_000 + b'"}',
        "many fields": json.dumps({f"f{number}": 1 for number in range(100_000)}).encode(),
        "unknown field": json.dumps(good | {"is_superuser": True}).encode(),
        "nothing inside": b"{}",
        "a huge number": b'{"email":' + b"9" * 10_000 + b"}",
        "NaN": b'{"email": NaN}',
    }
    for field in good:
        for what, value in {
            "null": None,
            "a number": 7,
            "true": True,
            "a list": ["x"],
            "an operator": {"$ne": ""},
            "empty": "",
            "NUL": "correct\0horse",
            "very long": "x" * 60_000,
        }.items():
            bodies[f"{field} {what}"] = json.dumps(good | {field: value}).encode()
        lone = json.dumps(good | {field: "?"}).replace('"?"', '"correct\\ud800horse"')
        bodies[f"{field} a lone surrogate"] = lone.encode()
    return bodies


@pytest.mark.parametrize("path", GOOD)
async def test_bad_bodies_are_refused_without_an_echo_and_without_a_trace(world: Any, path: str) -> None:
    described = mounted(world.rs).openapi()["paths"][world.rs.config.api_prefix + path]["post"]["responses"]
    for what, body in bad_bodies(GOOD[path]).items():
        answer = await world.call("POST", path, content=body)
        accepted = what.startswith("email") and answer.status_code in {202, 401}
        assert accepted or 400 <= answer.status_code < 500, (what, answer.status_code)
        assert str(answer.status_code) in described, what
        assert SECRET not in answer.text, what
        assert len(answer.content) < 5_000, what
    assert await world.rs.users.count() == 0
    assert await world.rs.pending.count_unexpired() == 0
    assert not world.outbox.outbox


async def test_a_body_without_a_length_is_bounded_too(world: Any) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b"x" * 10_000

    answer = await world.call("POST", "/login", content=chunks())
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "Bearer a.b.c", "bearer " + "x" * 5000, "Bearer é"],
)
async def test_a_bad_access_token_is_always_the_same_401(world: Any, authorization: str) -> None:
    url = world.rs.config.api_prefix + "/me"
    nothing = await world.client.get(url)
    answer = await world.client.get(url, headers={"Authorization": authorization.encode()})
    assert answer.status_code == nothing.status_code == 401
    assert answer.text == nothing.text
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_cut_token_is_refused(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    for end in (-1, -10, len(token) // 2, 5):
        assert (await world.get("/me", token[:end])).status_code == 401


async def test_common_passwords_are_refused_with_the_reason(world: Any) -> None:
    answer = await world.post("/register", {"email": "new@example.com", "password": "password123"})
    assert answer.status_code == 422
    assert "common" in answer.json()["detail"][0]["msg"]
    answer = await world.post("/register", {"email": "nobody", "password": SECRET})
    assert answer.status_code == 422
    assert "@" in answer.json()["detail"][0]["msg"]


@pytest.mark.parametrize("path", GOOD)
async def test_an_unreachable_database_is_a_503_that_says_when_to_come_back(
    world: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: object, **kwargs: object) -> None:
        raise BackendUnavailable("the server at db.internal:5432 is gone")

    for part in ("users", "pending", "attempts", "blacklist"):
        repository = getattr(world.rs, part)
        for name in [name for name in dir(repository) if not name.startswith("_")]:
            if callable(getattr(repository, name)):
                monkeypatch.setattr(repository, name, broken)
    answer = await world.post(path, GOOD[path])
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

    import anyio

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(log_in, number)
    assert [answer.status_code for answer in answers].count(503) >= 1
    assert [answer.status_code for answer in answers].count(401) >= 2
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
