from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from regstack.auth import bounded_threads
from regstack.auth.bounded_threads import BoundedThreads
from regstack.errors import Overloaded

pytestmark = pytest.mark.anyio


async def never() -> None:
    await asyncio.Future()


async def at_once() -> None:
    return


async def cannot_tell() -> None:
    raise RuntimeError("the server says something else")


async def begun(threads: BoundedThreads, work: Any) -> asyncio.Task[Any]:
    """Ask for work, and let it take its turn."""

    async def ask() -> Any:
        with threads.turn() as turn:
            return await turn.run(work)

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    return task


async def test_a_place_is_free_again_after_the_block_whether_or_not_it_was_used() -> None:
    threads = BoundedThreads(1, 1)
    for _ in range(5):
        with threads.turn(), threads.turn() as turn, pytest.raises(ZeroDivisionError):
            await turn.run(lambda: 1 // 0)
    assert threads._taken == 0
    threads.close()


async def test_a_place_whose_work_goes_on_is_taken_until_the_work_ends() -> None:
    threads, gate, started = BoundedThreads(1, 1), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        assert gate.wait(60)

    task = await begun(threads, work)
    await asyncio.to_thread(started.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with threads.turn(), pytest.raises(Overloaded), threads.turn():
        pass
    gate.set()
    await asyncio.to_thread(lambda: threads._executor and threads._executor.shutdown(wait=True))
    assert threads._taken == 0
    threads.close()


async def test_work_that_has_begun_is_finished_for_whoever_hung_up() -> None:
    started, told = threading.Event(), asyncio.Event()

    async def hung_up() -> None:
        await asyncio.to_thread(started.wait, 60)
        told.set()

    def work() -> str:
        started.set()
        assert gate.wait(60)
        return "done"

    threads, gate = BoundedThreads(1, 1, hung_up=hung_up), threading.Event()
    task = await begun(threads, work)
    await told.wait()
    gate.set()
    assert await task == "done"
    threads.close()


@pytest.mark.parametrize("hung_up", [never, cannot_tell, lambda: None])
async def test_work_is_done_where_nobody_hangs_up_or_nobody_can_tell(hung_up: Any) -> None:
    threads = BoundedThreads(1, 1, hung_up=hung_up)
    assert await (await begun(threads, lambda: "done")) == "done"
    threads.close()
    await asyncio.sleep(0)
    assert "regstack-hung-up" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_work_that_waits_for_somebody_who_hung_up_is_not_begun() -> None:
    gate = threading.Event()
    threads = BoundedThreads(1, 1)
    running = await begun(threads, lambda: gate.wait(60))
    threads._hung_up = at_once
    done: list[str] = []
    waiting = await begun(threads, lambda: done.append("begun"))
    with pytest.raises(Overloaded):
        await waiting
    threads._hung_up = lambda: None
    with threads.turn():  # its place is free while the first one still works
        gate.set()
    assert await running
    assert done == []
    threads.close()


async def test_whoever_is_turned_away_is_told_to_wait_for_as_long_as_the_queue_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(bounded_threads, "time", SimpleNamespace(monotonic=lambda: now))

    def work_of(seconds: float) -> Any:
        def work() -> None:
            nonlocal now
            now += seconds

        return work

    threads = BoundedThreads(2, 8)
    for seconds in (3.0, 0.1):
        for _ in range(60):
            await (await begun(threads, work_of(seconds)))
        threads._taken = 10
        told = threads.overloaded().retry_after.total_seconds()
        threads._taken = 0
        assert 0.99 * 5 * seconds <= told <= 1.01 * 2 * 5 * seconds
    threads.close()
