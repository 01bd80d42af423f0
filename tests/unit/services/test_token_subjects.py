"""The cache of token subjects: what it keeps, for how long, and what a write takes out of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from regstack import RegStackConfig
from regstack.auth.clock import FrozenClock
from regstack.backends.changes import ANYTHING, Change, ChangeFeed
from regstack.models.user import TokenSubject
from regstack.services.fences import fenced_blacklist, fenced_users
from regstack.services.token_subjects import TokenSubjects
from regstack.testing.builders import Builder
from regstack.testing.memory import MemoryBackend

pytestmark = pytest.mark.anyio

KEEP = 5.0


class Machine:
    """A cache on a clock of its own, before a store whose answers can be held back once they are decided."""

    def __init__(self, **settings: Any) -> None:
        clock = FrozenClock()
        self.backend = MemoryBackend(config=RegStackConfig(), clock=clock)
        self.make = Builder(clock)
        self.now = 1000.0
        self.reads = 0
        self.answering = asyncio.Event()
        self.answering.set()
        settings = {"keep_seconds": KEEP, "size": 100} | settings
        self.cache = TokenSubjects(self, elapsed=lambda: self.now, **settings)  # type: ignore[arg-type]
        self.users = fenced_users(self.backend.users, self.cache.forget, lambda _: None)
        self.blacklist = fenced_blacklist(self, self.cache.forget, lambda _: None)  # type: ignore[arg-type]

    async def get_token_subject(
        self, user_id: str, *, jti: str, sid: str | None = None
    ) -> TokenSubject | None:
        self.reads += 1
        subject = await self.backend.users.get_token_subject(user_id, jti=jti, sid=sid)
        await self.answering.wait()
        return subject

    async def revoke(self, jti: str) -> bool:
        return await self.backend.blacklist.revoke(jti, self.make.clock.now() + timedelta(hours=1))

    async def account(self) -> str:
        return (await self.backend.users.create(self.make.user())).id

    async def accepts(self, user_id: str, jti: str = "jti") -> bool:
        subject = await self.cache.get_token_subject(user_id, jti=jti)
        return subject is not None and subject.user.is_active and not subject.revoked

    async def revoke_elsewhere(self, jti: str = "jti") -> None:
        """As another worker does it: past the fences of this one."""
        await self.backend.blacklist.revoke(jti, self.make.clock.now() + timedelta(hours=1))


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_answer_is_used_again_until_its_time_is_up_and_not_at_that_instant() -> None:
    machine = Machine()
    user_id = await machine.account()
    assert await machine.accepts(user_id)
    await machine.revoke_elsewhere()
    machine.now += KEEP - 0.001
    assert await machine.accepts(user_id)
    assert machine.reads == 1
    machine.now += 0.001
    assert not await machine.accepts(user_id)
    assert machine.reads == 2


async def test_an_answer_is_as_old_as_its_question() -> None:
    machine = Machine()
    user_id = await machine.account()
    machine.answering.clear()
    question = asyncio.create_task(machine.accepts(user_id))
    await turns()
    machine.now += KEEP - 1  # the answer is long under way
    await machine.revoke_elsewhere()
    machine.answering.set()
    assert await question
    machine.now += 1
    assert not await machine.accepts(user_id)


async def test_using_an_answer_makes_it_no_younger() -> None:
    machine = Machine()
    user_id = await machine.account()
    assert await machine.accepts(user_id)
    await machine.revoke_elsewhere()
    for _ in range(4):
        machine.now += KEEP / 4 - 0.001
        assert await machine.accepts(user_id)
    machine.now += 0.004
    assert not await machine.accepts(user_id)


async def test_a_question_that_a_write_overtook_leaves_nothing_behind() -> None:
    machine = Machine()
    user_id = await machine.account()
    machine.answering.clear()
    question = asyncio.create_task(machine.accepts(user_id))
    await turns()
    assert await machine.blacklist.revoke("jti")  # type: ignore[call-arg]
    machine.answering.set()
    assert await question  # it was asked before
    assert not await machine.accepts(user_id)


async def test_a_question_during_a_write_leaves_nothing_behind() -> None:
    """The read sees what was before the write, and is answered before the write is."""
    machine = Machine()
    user_id = await machine.account()
    write = machine.backend.blacklist.revoke
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(jti: str, exp: Any) -> bool:
        begun.set()
        await finish.wait()
        return await write(jti, exp)

    machine.backend.blacklist.revoke = slow  # type: ignore[method-assign]
    revocation = asyncio.create_task(machine.blacklist.revoke("jti"))  # type: ignore[call-arg]
    await begun.wait()
    assert await machine.accepts(user_id)
    finish.set()
    assert await revocation
    assert not await machine.accepts(user_id)


async def test_of_two_questions_at_once_the_later_one_is_kept() -> None:
    machine = Machine()
    user_id = await machine.account()
    machine.answering.clear()
    first = asyncio.create_task(machine.accepts(user_id))
    await turns()
    machine.now += 1
    second = asyncio.create_task(machine.accepts(user_id))
    await turns()
    machine.answering.set()
    assert await first
    assert await second
    assert machine.reads == 2
    machine.now += KEEP - 0.5
    assert await machine.accepts(user_id)
    assert machine.reads == 2


async def test_a_question_that_fails_or_is_given_up_leaves_nothing_behind() -> None:
    machine = Machine()
    user_id = await machine.account()
    machine.answering.clear()
    question = asyncio.create_task(machine.accepts(user_id))
    await turns()
    question.cancel()
    await asyncio.wait({question})
    machine.answering.set()
    assert await machine.accepts(user_id)
    assert machine.reads == 2


async def test_what_is_written_here_is_seen_here_at_once_and_touches_nobody_else() -> None:
    machine = Machine()
    alice, bob = await machine.account(), await machine.account()
    for jti in ("of-alice", "of-alice-too"):
        assert await machine.accepts(alice, jti)
    assert await machine.accepts(bob, "of-bob")
    await machine.users.set_flags(alice, is_active=False)
    assert machine.reads == 3
    for jti in ("of-alice", "of-alice-too"):
        assert not await machine.accepts(alice, jti)
    assert await machine.accepts(bob, "of-bob")
    assert machine.reads == 5


async def test_the_token_of_one_account_opens_no_other() -> None:
    machine = Machine()
    alice, bob = await machine.account(), await machine.account()
    for user_id in (alice, bob, alice):
        subject = await machine.cache.get_token_subject(user_id, jti="the same")
        assert subject is not None
        assert subject.user.id == user_id


async def test_nothing_is_kept_of_who_is_not_there() -> None:
    machine = Machine()
    user = machine.make.user()
    assert not await machine.accepts(user.id)
    await machine.backend.users.create(user)
    assert await machine.accepts(user.id)


async def test_it_holds_no_more_than_it_may_and_drops_the_oldest_and_what_is_over() -> None:
    machine = Machine(size=3)
    user_id = await machine.account()
    for number in range(10):
        assert await machine.accepts(user_id, f"jti-{number}")
        assert len(machine.cache) == min(number + 1, 3)
    machine.reads = 0
    assert await machine.accepts(user_id, "jti-9")
    assert machine.reads == 0
    assert await machine.accepts(user_id, "jti-0")
    assert machine.reads == 1
    machine.now += KEEP
    assert await machine.accepts(user_id, "jti-10")
    assert len(machine.cache) == 1
    machine.cache.forget(Change(user_id=user_id))
    assert len(machine.cache) == 0
    assert not machine.cache._tokens


class Feed(ChangeFeed):
    """A feed that says what it is told to, and breaks on command."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Change | Exception] = asyncio.Queue()
        self.listening = 0
        self.closed = 0

    async def listen(self) -> AsyncGenerator[Change, None]:
        self.listening += 1
        try:
            while True:
                said = await self.said.get()
                if isinstance(said, Exception):
                    raise said
                yield said
        finally:
            self.closed += 1


async def test_it_listens_from_its_first_use_and_forgets_what_it_hears_of() -> None:
    feed = Feed()
    machine = Machine(feed=feed)
    user_id = await machine.account()
    assert feed.listening == 0
    assert await machine.accepts(user_id)
    feed.said.put_nowait(ANYTHING)
    await turns()
    assert feed.listening == 1
    assert len(machine.cache) == 0
    assert await machine.accepts(user_id)
    await machine.revoke_elsewhere()
    feed.said.put_nowait(Change(jti="another"))
    await turns()
    assert await machine.accepts(user_id)
    feed.said.put_nowait(Change(jti="jti"))
    await turns()
    assert not await machine.accepts(user_id)
    await machine.cache.aclose()
    assert feed.closed == 1


async def test_nothing_is_kept_of_what_was_read_before_the_feed_was_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = Feed()
    machine = Machine(feed=feed)
    user_id = await machine.account()
    machine.cache.start()
    feed.said.put_nowait(ANYTHING)
    await turns()
    assert await machine.accepts(user_id)
    await machine.revoke_elsewhere()
    feed.said.put_nowait(ConnectionError("postgresql://user:password@host"))
    await turns()
    assert not await machine.accepts(user_id)
    assert "not heard of: ConnectionError" in caplog.text
    assert "password" not in caplog.text
    await machine.cache.aclose()
