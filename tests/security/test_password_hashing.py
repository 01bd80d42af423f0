"""Hashing stalls nobody, and a storm of it shuts nobody out."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import anyio
import argon2
import pytest

from regstack import RegStackConfig
from tests.served import DEADLINE_SECONDS, Served

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
    gate = Gate(monkeypatch)
    answers = []

    async def log_in(number: int) -> None:
        answers.append(await world.post("/login", {"email": f"user{number}@example.com", "password": SECRET}))
        if answers[-1].status_code == 503:
            gate.open()

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(log_in, number)
    assert [answer.status_code for answer in answers].count(503) >= 1
    assert [answer.status_code for answer in answers].count(401) >= 2
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)


async def test_a_storm_of_logins_does_not_lock_out_who_was_only_turned_away(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(password_hash_threads=1, password_hash_queue_size=1)
    await world.account()
    gate = Gate(monkeypatch)
    statuses: Counter[int] = Counter()

    async def log_in() -> None:
        statuses[(await world.post("/login", ALICE)).status_code] += 1
        if statuses.total() == 8:  # those who have a place wait for the gate
            gate.open()

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(log_in)
    assert statuses == {200: 2, 503: 8}


async def test_a_full_queue_of_strangers_leaves_room_for_those_who_are_signed_in(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(password_hash_threads=1, password_hash_queue_size=8)
    await world.account()
    token = await world.log_in()
    gate = Gate(monkeypatch)
    strangers: Counter[int] = Counter()
    changes = []
    body = {"current_password": "correct horse battery", "new_password": "another long password"}

    async def log_in(number: int) -> None:
        guess = {"email": f"user{number}@example.com", "password": SECRET}
        strangers[(await world.post("/login", guess)).status_code] += 1
        if strangers.total() == 3:
            tasks.start_soon(change_the_password)
            await until(lambda: world.rs.password_hasher._threads._taken == 9)
            gate.open()

    async def change_the_password() -> None:
        changes.append((await world.post("/change-password", body, token)).status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(log_in, number)
    assert changes == [200]
    assert strangers == {401: 8, 503: 4}


def test_whoever_hangs_up_leaves_the_queue_at_once_and_a_record(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="regstack.audit")
    settings = {"database_url": "memory://", "jwt_secret": "a secret that only the tests know"}
    config = RegStackConfig(
        **settings, password_hash_preset="insecure-test", password_hash_threads=1, password_hash_queue_size=20
    )
    gate = Gate(monkeypatch)
    with Served(config) as served, ExitStack() as opened:
        opened.callback(gate.open)
        taken = served.rs.password_hasher._threads
        host, port = urlsplit(served.url).hostname, urlsplit(served.url).port
        clients = []
        for number in range(8):
            body = json.dumps({"email": f"user{number}@example.com", "password": SECRET})
            head = f"POST /api/auth/login HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            clients.append(opened.enter_context(socket.create_connection((host, port))))
            clients[-1].sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
            wait_until(lambda: taken._taken == len(clients))
        for client in clients[1:7]:
            client.close()
        wait_until(lambda: len(served.connections) == 2)
        served.run(turns_of_the_loop())
        assert taken._taken == 2
        gate.open()
        for client in (clients[0], clients[7]):
            assert client.recv(12) == b"HTTP/1.1 401"
    assert gate.passed == 2
    reasons = Counter(record.getMessage().rpartition("reason=")[2] for record in caplog.records)
    assert reasons == {"hung_up": 6, "credentials": 2}


class Gate:
    """Holds all verifications until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._opened, self.passed = threading.Event(), 0
        original = argon2.PasswordHasher.verify

        def wait(*args: Any, **kwargs: Any) -> Any:
            assert self._opened.wait(DEADLINE_SECONDS)
            self.passed += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(argon2.PasswordHasher, "verify", wait)

    def open(self) -> None:
        self._opened.set()


async def turns_of_the_loop() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - it comes true in another thread
            await anyio.sleep(0.001)


def wait_until(condition: Callable[[], bool]) -> None:
    """The same, beside a loop that runs in another thread."""
    anyio.run(until, condition)
