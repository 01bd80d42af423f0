"""Bad input of every kind gets a clear 4xx at once, and leaves nothing half done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.backends import ON_MEMORY
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


async def send(world: Any, path: str, body: Any) -> Any:
    """Send bytes as JSON; FastAPI reads no body whose type is not said."""
    url, headers = world.rs.config.api_prefix + path, {"Content-Type": "application/json"}
    return await world.client.post(url, content=body, headers=headers)


@ON_MEMORY
@pytest.mark.parametrize("path", GOOD)
async def test_a_good_body_is_read_so_that_the_bad_ones_mean_something(world: Any, path: str) -> None:
    answer = await send(world, path, json.dumps(GOOD[path]).encode())
    assert answer.status_code in {200, 201, 202, 400, 401}


@ON_MEMORY
@pytest.mark.parametrize("path", GOOD)
async def test_bad_bodies_are_refused_without_an_echo_and_without_a_trace(world: Any, path: str) -> None:
    described = mounted(world.rs).openapi()["paths"][world.rs.config.api_prefix + path]["post"]["responses"]
    for what, body in bad_bodies(GOOD[path]).items():
        answer = await send(world, path, body)
        accepted = what.startswith("email") and answer.status_code in {202, 401}
        assert accepted or 400 <= answer.status_code < 500, (what, answer.status_code)
        assert str(answer.status_code) in described, what
        assert SECRET not in answer.text, what
        assert len(answer.content) < 5_000, what
    assert await world.rs.users.count() == 0
    assert await world.rs.pending.count_unexpired() == 0
    assert not world.outbox.outbox


@ON_MEMORY
async def test_a_body_without_a_length_is_bounded_too(world: Any) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b"x" * 10_000

    answer = await send(world, "/login", chunks())
    assert answer.status_code == 413


@ON_MEMORY
async def test_common_passwords_are_refused_with_the_reason(world: Any) -> None:
    answer = await world.post("/register", {"email": "new@example.com", "password": "password123"})
    assert answer.status_code == 422
    assert "common" in answer.json()["detail"][0]["msg"]
    answer = await world.post("/register", {"email": "nobody", "password": SECRET})
    assert answer.status_code == 422
    assert "@" in answer.json()["detail"][0]["msg"]


@pytest.mark.parametrize("database_url", ["memory"], indirect=True)
async def test_a_password_past_the_limit_is_never_hashed(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(rate_limit_disabled=True)
    await world.account("new@example.com", SECRET)
    token = await world.log_in("new@example.com", SECRET)
    work: list[str] = []
    for name in ("hash", "verify"):
        original = getattr(world.rs.password_hasher, name)

        def spy(*args: Any, original: Any = original, name: str = name) -> Any:
            work.append(name)
            return original(*args)

        monkeypatch.setattr(world.rs.password_hasher, name, spy)
    requests: list[tuple[str, str, dict[str, str]]] = [
        ("POST", "/register", {"email": "other@example.com", "password": "{}"}),
        ("POST", "/login", {"email": "new@example.com", "password": "{}"}),
        ("POST", "/reset-password", {"token": "t" * 43, "new_password": "{}"}),
        ("POST", "/change-password", {"current_password": SECRET, "new_password": "{}"}),
        ("POST", "/change-password", {"current_password": "{}", "new_password": SECRET}),
        ("POST", "/change-email", {"current_password": "{}", "new_email": "other@example.com"}),
        ("DELETE", "/account", {"current_password": "{}"}),
    ]
    for method, path, body in requests:
        for password in ("ab" * 64 + "c", "é" * 129, "ab" * 15_000):
            filled = {name: value.replace("{}", password) for name, value in body.items()}
            answer = await world.call(method, path, filled, token)
            assert answer.status_code == 422, (path, len(password))
    assert not work


@ON_MEMORY
async def test_the_longest_password_works_and_is_not_cut(world: Any) -> None:
    longest = "0123456789abcdef" * 8
    await world.account("new@example.com", longest)
    await world.log_in("new@example.com", longest)
    shorter = {"email": "new@example.com", "password": longest[:-1]}
    assert (await world.post("/login", shorter)).status_code == 401


async def test_an_operator_of_a_database_is_only_text(world: Any) -> None:
    await world.account()
    for text in ("' OR '1'='1", "%", "_", "*", '{"$ne": null}', "$where", "alice@example.com\0", "\\"):
        assert (await world.post("/login", {"email": text * 3, "password": SECRET})).status_code in {401, 422}
        answer = await world.post("/verify", {"token": text})
        assert answer.status_code in {400, 422}
        answer = await world.post("/reset-password", {"token": text, "new_password": SECRET})
        assert answer.status_code in {400, 422}
    assert await world.rs.users.count() == 1
