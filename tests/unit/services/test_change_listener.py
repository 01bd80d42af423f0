"""Listening goes on by itself, whatever becomes of the feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from regstack.backends.changes import ANYTHING, Change, ChangeFeed
from regstack.services.change_listener import ChangeListener

pytestmark = pytest.mark.anyio


class Scripted(ChangeFeed):
    """Plays one list for each time that it is listened to: changes are told, errors raised; then silence."""

    def __init__(self, *times: list[Change | Exception], ends: bool = False) -> None:
        self.times = list(times)
        self.ends = ends
        self.listened = 0
        self.silent = asyncio.Event()

    async def listen(self) -> AsyncGenerator[Change, None]:
        self.listened += 1
        for said in self.times.pop(0) if self.times else []:
            if isinstance(said, Exception):
                raise said
            yield said
        if self.times or self.ends:
            return
        self.silent.set()
        await asyncio.Event().wait()


def listener_of(feed: ChangeFeed) -> tuple[ChangeListener, list[Change]]:
    heard: list[Change] = []
    return ChangeListener(feed, heard.append, pause=0.001), heard


ONE, TWO = Change(user_id="one"), Change(jti="two")


@pytest.mark.filterwarnings("error")
async def test_it_listens_again_after_a_loss_and_says_each_time_that_anything_may_have_changed() -> None:
    feed = Scripted([ANYTHING, ONE, OSError()], [OSError()], [OSError()], [ANYTHING, TWO])
    listener, heard = listener_of(feed)
    listener.start()
    async with asyncio.timeout(30):
        await feed.silent.wait()
    assert heard == [ANYTHING, ONE, ANYTHING, ANYTHING, ANYTHING, ANYTHING, TWO]
    await listener.aclose()
    assert heard[-1] == ANYTHING


async def test_a_feed_that_ends_in_the_middle_is_lost_as_well() -> None:
    feed = Scripted([ANYTHING, ONE], [ANYTHING])
    listener, heard = listener_of(feed)
    listener.start()
    async with asyncio.timeout(30):
        await feed.silent.wait()
    assert heard == [ANYTHING, ONE, ANYTHING, ANYTHING]
    await listener.aclose()


async def test_where_there_is_nothing_to_listen_to_nobody_asks_again() -> None:
    feed = Scripted([], ends=True)
    listener, _ = listener_of(feed)
    listener.start()
    task: Any = listener._task
    await asyncio.wait_for(task, 30)
    listener.start()
    assert feed.listened == 1
    await listener.aclose()


async def test_starting_twice_listens_once_and_after_an_end_anew() -> None:
    feed = Scripted([ANYTHING], [ANYTHING])
    listener, _ = listener_of(feed)
    listener.start()
    listener.start()
    await asyncio.sleep(0)
    assert feed.listened == 1
    await listener.aclose()
    await listener.aclose()
    listener.start()
    await asyncio.sleep(0)
    assert feed.listened == 2
    await listener.aclose()


def test_another_event_loop_listens_for_itself() -> None:
    feed = Scripted()
    listener, _ = listener_of(feed)

    async def use() -> None:
        listener.start()
        await asyncio.sleep(0)

    asyncio.run(use())
    asyncio.run(use())
    assert feed.listened == 2


def test_on_two_event_loops_in_turns_one_listens_at_a_time() -> None:
    feed = Scripted()
    listener, heard = listener_of(feed)

    async def use() -> None:
        listener.start()
        for _ in range(5):
            await asyncio.sleep(0)

    with asyncio.Runner() as one, asyncio.Runner() as other:
        for turn in range(1, 4):
            one.run(use())
            other.run(use())
            assert feed.listened == 2 * turn
            assert len(heard) >= 2 * turn - 2  # each says at its end that anything may have changed
    assert len(heard) == feed.listened
