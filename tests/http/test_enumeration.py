"""Known and unknown addresses are told apart neither by the answer nor by the work done for it."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any

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


async def test_mail_goes_to_the_stored_address_and_never_to_the_one_typed(people: Any) -> None:
    await people.post("/register", {"email": "mike@example.org", "password": PASSWORD})
    await people.post("/verify", {"token": await people.mailed_token("mike@example.org")})
    await people.post("/forgot-password", {"email": "mi\u212ae@example.org"})
    assert await people.rs.drain()
    assert {mail.to for mail in people.outbox.outbox[-1:]} == {"mike@example.org"}
