"""Known and unknown addresses are told apart neither by the answer nor by the work done for it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Generator
from typing import Any

import argon2
import pytest

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
REPOSITORIES = ("users", "pending", "blacklist", "attempts")


class Suspensions:
    """Runs a coroutine and counts how often it gives way to the event loop."""

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine
        self.count = 0
        self.result: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._coroutine.__await__()
        while True:
            try:
                waited_for = next(steps)
            except StopIteration as end:
                self.result = end.value
                return self
            self.count += 1
            yield waited_for


class Work:
    """Writes down what a request asks of storage and hashing before its answer."""

    def __init__(self, world: Any) -> None:
        self.calls: list[str] = []
        for part in REPOSITORIES:
            self._spy(getattr(world.rs, part), part)
        self._spy(world.rs.password_hasher, "hasher")

    def _spy(self, target: Any, part: str) -> None:
        for name in [name for name in dir(target) if not name.startswith("_") and name != "close"]:
            original = getattr(target, name)
            if inspect.iscoroutinefunction(original):
                setattr(target, name, self._counted(original, f"{part}.{name}"))

    def _counted(self, original: Any, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return await original(*args, **kwargs)

        return call


@pytest.fixture
async def people(make_world: Any) -> Any:
    """One address of each kind, and one that nobody has."""
    world = await make_world()
    await world.account("known@example.com", PASSWORD)
    disabled = await world.account("disabled@example.com", PASSWORD)
    await world.rs.users.set_flags(disabled["id"], is_active=False)
    await world.post("/register", {"email": "pending@example.com", "password": PASSWORD})
    assert await world.rs.drain()
    return world


ADDRESSES = (
    "known@example.com",
    "disabled@example.com",
    "pending@example.com",
    "unknown@example.com",
    "not an address",
)


@pytest.mark.parametrize("path", ["/login", "/forgot-password", "/resend-verification"])
async def test_every_address_gets_the_same_answer_for_the_same_work(people: Any, path: str) -> None:
    work = Work(people)
    seen = []
    for address in ADDRESSES:
        body = {"email": address} | ({"password": "not the password"} if path == "/login" else {})
        work.calls.clear()
        request = Suspensions(people.post(path, body))
        await request
        seen.append((request.result.status_code, request.result.text, tuple(work.calls)))
        assert await people.rs.drain()
    assert len(set(seen)) == 1
    expected = {
        "/login": ("attempts.claim", "users.find_login_subject", "hasher.verify"),
        "/forgot-password": ("users.get_by_email",),
        "/resend-verification": ("users.find_login_subject",),
    }
    assert seen[0][2] == expected[path]


@pytest.mark.parametrize("database_url", ["memory://"])
@pytest.mark.parametrize("path", ["/login", "/forgot-password", "/resend-verification"])
async def test_every_address_gives_way_to_the_event_loop_equally_often(people: Any, path: str) -> None:
    counts = set()
    for address in ADDRESSES:
        body = {"email": address} | ({"password": "not the password"} if path == "/login" else {})
        request = Suspensions(people.post(path, body))
        await request
        counts.add(request.count)
        assert await people.rs.drain()
    assert len(counts) == 1


async def test_an_address_that_is_locked_takes_the_same_work_whether_or_not_it_has_an_account(
    people: Any,
) -> None:
    stranger, seen = people.at("203.0.113.9"), {}
    for address in ADDRESSES:
        body = {"email": address, "password": "not the password"}
        for _ in range(5):
            await stranger.post("/login", body)
        work = Work(people)
        answer = await stranger.post("/login", body)
        seen[address] = (answer.status_code, answer.text, tuple(work.calls))
    assert {status for status, _, _ in seen.values()} == {429}
    assert len({calls.count("attempts.count_recent") for _, _, calls in seen.values()}) == 1
    assert len({calls.count("users.get_by_email") for _, _, calls in seen.values()}) == 1


async def test_a_request_that_is_signed_in_costs_one_read(people: Any) -> None:
    token = await people.log_in("known@example.com")
    work = Work(people)
    assert (await people.get("/me", token)).status_code == 200
    assert work.calls == ["users.get_token_subject"]


async def test_the_states_of_an_account_are_told_only_after_the_right_password(people: Any) -> None:
    for address, status in [
        ("disabled@example.com", 403),
        ("pending@example.com", 403),
        ("unknown@example.com", 401),
    ]:
        answer = await people.post("/login", {"email": address, "password": PASSWORD})
        assert answer.status_code == status


@pytest.mark.parametrize("database_url", ["memory"], indirect=True)
async def test_every_sign_in_costs_exactly_one_argon2(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = []
    verify = argon2.PasswordHasher.verify

    def spy(hasher: Any, hashed: Any, password: Any) -> bool:
        costs.append(argon2.extract_parameters(hashed))
        return verify(hasher, hashed, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", spy)
    real = await people.rs.users.get_by_email("known@example.com")
    for address in ADDRESSES:
        costs.clear()
        await people.post("/login", {"email": address, "password": "not the password"})
        assert costs == [argon2.extract_parameters(real.hashed_password)], address


async def test_quiet_registration_does_the_same_work_for_every_address(make_world: Any) -> None:
    world = await make_world(quiet_registration=True)
    await world.account("known@example.com", PASSWORD)
    await world.post("/register", {"email": "pending@example.com", "password": PASSWORD})
    assert await world.rs.drain()
    work = Work(world)
    seen = []
    for address in ("known@example.com", "pending@example.com", "unknown@example.com"):
        work.calls.clear()
        request = Suspensions(world.post("/register", {"email": address, "password": PASSWORD}))
        await request
        answer = request.result
        seen.append((answer.status_code, answer.text.replace(address, "…"), tuple(work.calls)))
        assert await world.rs.drain()
    assert len(set(seen)) == 1
    assert seen[0][::2] == (201, ("hasher.hash", "users.get_by_email"))


async def test_under_quiet_registration_a_pending_address_is_no_different_at_sign_in(make_world: Any) -> None:
    world = await make_world(quiet_registration=True)
    body = {"email": "pending@example.com", "password": PASSWORD}
    await world.post("/register", body)
    assert await world.rs.drain()
    pending = await world.post("/login", body)
    nobody = await world.post("/login", {"email": "nobody@example.com", "password": PASSWORD})
    assert (pending.status_code, pending.text) == (nobody.status_code, nobody.text)
    assert pending.status_code == 401


async def test_registering_hashes_before_it_looks_whether_or_not_the_address_is_taken(people: Any) -> None:
    work = Work(people)
    for address, status in [("known@example.com", 409), ("unknown@example.com", 201)]:
        work.calls.clear()
        answer = await people.post("/register", {"email": address, "password": PASSWORD})
        assert answer.status_code == status
        assert work.calls[:2] == ["hasher.hash", "users.get_by_email"]


@pytest.mark.parametrize("path", ["/forgot-password", "/resend-verification", "/register"])
async def test_no_mail_is_made_before_the_answer(make_world: Any, path: str) -> None:
    world = await make_world(quiet_registration=True)
    await world.account("known@example.com", PASSWORD)
    await world.post("/register", {"email": "pending@example.com", "password": PASSWORD})
    assert await world.rs.drain()
    made: list[str] = []
    post = world.rs._mailer.post
    world.rs._mailer.post = lambda make, *, kind: made.append(kind) or post(make, kind=kind)
    opened = asyncio.Event()
    world.rs._background.put(opened.wait, label="gate")
    for address in ("known@example.com", "pending@example.com", "unknown@example.com"):
        body = {"email": address} | ({"password": PASSWORD} if path == "/register" else {})
        assert (await world.post(path, body)).status_code in {201, 202}
    assert not made
    opened.set()
    assert await world.rs.drain()
    assert made


async def test_a_full_queue_drops_and_counts_and_does_not_change_the_answer(
    make_world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world = await make_world(background_queue_size=1)
    await world.account("known@example.com", PASSWORD)
    before = [await world.post("/forgot-password", {"email": each}) for each in ADDRESSES[:1]]
    assert await world.rs.drain()
    opened = asyncio.Event()
    world.rs._background.put(opened.wait, label="gate")
    answers = [
        await world.post("/forgot-password", {"email": each})
        for each in ("known@example.com", "unknown@example.com") * 3
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (answer.status_code, answer.text) for answer in before
    }
    opened.set()
    assert await world.rs.drain()
    assert world.rs.counts()["background"]["dropped"] >= 4
    assert "dropped" in caplog.text
    assert "example.com" not in "".join(record.getMessage() for record in caplog.records)


async def test_a_change_of_address_does_not_tell_whether_the_new_one_is_known(people: Any) -> None:
    token = await people.log_in("known@example.com")
    work = Work(people)
    seen = []
    for address in ("disabled@example.com", "pending@example.com", "unknown@example.com"):
        work.calls.clear()
        body = {"new_email": address, "current_password": PASSWORD}
        request = Suspensions(people.call("POST", "/change-email", body, token))
        await request
        seen.append((request.result.status_code, request.result.text, tuple(work.calls)))
        assert await people.rs.drain()
    assert len(set(seen)) == 1
    assert seen[0][0] == 202
