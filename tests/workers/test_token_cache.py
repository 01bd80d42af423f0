"""How long a worker accepts what another one ended, with `token_cache_milliseconds`, over two processes."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from regstack import RegStack, RegStackConfig
from regstack.auth.clock import SystemClock
from regstack.auth.tokens import ACCESS
from regstack.models.user import User
from regstack.testing.builders import Builder
from tests.conftest import SECRET
from tests.servers.process import POLL_SECONDS

pytestmark = pytest.mark.anyio

BOUND_SECONDS = 0.4
LONG_SECONDS = 60.0
DEADLINE_SECONDS = 60
PERSONS = 8


@dataclass
class Asked:
    """A question to the other worker: when it was sent, and what was answered."""

    sent: float
    accepted: bool


class Other:
    """The worker that remembers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout
        self._numbers = itertools.count()
        self._answers: dict[str, asyncio.Future[bool]] = {}

    async def read(self) -> None:
        while line := await self._from.readline():
            number, accepted = line.decode().split()
            self._answers.pop(number).set_result(accepted == "True")

    async def accepts(self, instance: str, token: str) -> Asked:
        number = str(next(self._numbers))
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        sent = time.monotonic()
        self._to.write(f"{instance} {number} {token}\n".encode())
        async with asyncio.timeout(DEADLINE_SECONDS):
            return Asked(sent, await answer)


@dataclass
class Two:
    """This process, in which sessions are ended, and the other one."""

    rs: RegStack
    other: Other
    make: Builder = field(default_factory=lambda: Builder(SystemClock()))

    async def person(self) -> tuple[User, str]:
        """Make an account; give it with a token of it."""
        user = await self.rs.users.create(self.make.user(is_verified=True))
        return user, self.rs.services.sessions.issue(user).text


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mongo"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database on each backend."""
    if request.param == "postgres":
        databases = request.getfixturevalue("postgres_databases")
        url = databases.empty()
        yield url
        databases.drop(url)
    elif request.param == "mongo":
        yield request.getfixturevalue("mongo_databases").emptied("remembering")
    else:
        yield f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('remembering')}/regstack.db"


@pytest.fixture(scope="module")
async def two(database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    settings: dict[str, Any] = {"database_url": database, "jwt_secret": SECRET}
    if database.startswith("postgres"):
        settings["db_notify_url"] = database
    given = {
        name: settings | {"token_cache_milliseconds": int(seconds * 1000)}
        for name, seconds in (("deaf", BOUND_SECONDS), ("hearing", LONG_SECONDS))
    }
    file = tmp_path_factory.mktemp("worker") / "settings.json"
    file.write_text(json.dumps(given))
    async with RegStack(RegStackConfig(**given["deaf"])) as rs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).with_name("remembering.py")), str(file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                assert await process.stdout.readline() == b"ready\n"
            other = Other(process)
            reading = asyncio.create_task(other.read())
            yield Two(rs, other)
            process.stdin.close()
            async with asyncio.timeout(DEADLINE_SECONDS):
                assert await process.wait() == 0
                await reading
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def log_out(rs: RegStack, user: User, token: str) -> None:
    await rs.services.sessions.end(token)


async def revoke(rs: RegStack, user: User, token: str) -> None:
    claims = rs.jwt.check(ACCESS, token)
    await rs.blacklist.revoke(claims.jti, claims.expires_at)


async def disable(rs: RegStack, user: User, token: str) -> None:
    await rs.services.administration.update(user.id, is_active=False)


async def take_the_password(rs: RegStack, user: User, token: str) -> None:
    await rs.users.set_password(user.id, None)


async def delete(rs: RegStack, user: User, token: str) -> None:
    await rs.services.administration.delete(user.id)


End = Callable[[RegStack, User, str], Awaitable[None]]
ENDS: list[End] = [log_out, revoke, disable, take_the_password, delete]


async def watched(two: Two, end: End, asks_before: int) -> list[Asked]:
    """End somebody's session after some questions; give the questions sent after that was acknowledged.

    The last of them was sent when all the time was over that the other worker may be late.
    """
    user, token = await two.person()
    for _ in range(asks_before):
        assert (await two.other.accepts("deaf", token)).accepted
        await asyncio.sleep(POLL_SECONDS)
    await end(two.rs, user, token)
    ended = time.monotonic()
    asked: list[Asked] = []
    while not asked or asked[-1].sent <= ended + BOUND_SECONDS:
        asked.append(await two.other.accepts("deaf", token))
        await asyncio.sleep(POLL_SECONDS)
    late = [ask.sent - ended for ask in asked if ask.accepted and ask.sent > ended + BOUND_SECONDS]
    assert not late, (end.__name__, late)
    return asked


async def test_no_token_is_accepted_later_than_stated_by_a_worker_that_hears_of_nothing(two: Two) -> None:
    draw = random.Random(20261125)
    seen = False
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not seen:
        assert time.monotonic() < deadline, "nothing was ever remembered"
        rounds = [watched(two, draw.choice(ENDS), draw.randint(1, 25)) for _ in range(PERSONS)]
        for asked in await asyncio.gather(*rounds):
            answers = [ask.accepted for ask in asked]
            assert answers == sorted(answers, reverse=True), "a token that was refused was accepted again"
            seen = seen or answers[0]


@pytest.mark.parametrize("database", ["postgres", "mongo"], indirect=True)
@pytest.mark.parametrize("end", ENDS)
async def test_a_worker_that_is_told_refuses_long_before_that(two: Two, end: End) -> None:
    user, token = await two.person()
    first = await two.other.accepts("hearing", token)
    assert first.accepted
    await end(two.rs, user, token)
    while (asked := await two.other.accepts("hearing", token)).accepted:
        assert asked.sent < first.sent + LONG_SECONDS / 2, "it was never told"
        await asyncio.sleep(POLL_SECONDS)


async def test_a_token_that_expires_is_refused_at_once(two: Two) -> None:
    user, _ = await two.person()
    ttl = timedelta(milliseconds=300)
    token = two.rs.jwt.sign(ACCESS, sub=user.id, ver=user.token_version, ttl=ttl)
    while (asked := await two.other.accepts("hearing", token.text)).accepted:
        now = two.rs.clock.now()
        assert now < token.claims.expires_at + timedelta(seconds=LONG_SECONDS / 2)
        await asyncio.sleep(POLL_SECONDS)
    assert not asked.accepted
