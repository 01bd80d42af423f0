from __future__ import annotations

import asyncio
import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal

from regstack.services import background
from regstack.services.background import MOST_STARTS, BackgroundQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio

LOGGER = "regstack.services.background"


def writes(log: list[int], number: int) -> Callable[[], Awaitable[None]]:
    async def job() -> None:
        log.append(number)

    return job


async def forever() -> None:
    await asyncio.Event().wait()


async def test_jobs_run_in_the_order_of_put():
    queue, log = BackgroundQueue(name="q", capacity=100), []
    for number in range(100):
        assert queue.put(writes(log, number), label="write")
    assert queue.waiting == 100
    assert log == []
    assert await queue.join(5)
    assert log == list(range(100))
    assert (queue.done, queue.failed, queue.dropped, queue.lost, queue.waiting) == (100, 0, 0, 0, 0)


async def test_put_returns_before_the_job_begins_even_with_an_eager_task_factory():
    queue, log = BackgroundQueue(name="q", capacity=1), []
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is not None:
        asyncio.get_running_loop().set_task_factory(factory)
    try:
        queue.put(writes(log, 1), label="write")
        assert log == []
        assert await queue.join(5)
    finally:
        asyncio.get_running_loop().set_task_factory(None)
    assert log == [1]


async def test_a_full_queue_drops_counts_and_says_so_once(caplog):
    queue, log = BackgroundQueue(name="small", capacity=2), []
    with caplog.at_level(logging.WARNING, LOGGER):
        taken = [queue.put(writes(log, number), label="bad\r\nlabel") for number in range(5)]
    assert taken == [True, True, False, False, False]
    assert queue.dropped == 3
    assert [record.getMessage() for record in caplog.records] == [
        "queue small is full: job bad label was dropped (1 so far)"
    ]
    assert await queue.join(5)
    assert log == [0, 1]


async def test_the_next_warning_of_drops_comes_after_a_while_with_the_count(caplog, monkeypatch):
    monkeypatch.setattr(background, "SECONDS_BETWEEN_WARNINGS", 0.0)
    queue = BackgroundQueue(name="small", capacity=1)
    queue.put(writes([], 0), label="write")
    queue.put(writes([], 0), label="write")
    queue.put(writes([], 0), label="write")
    assert [record.args[-1] for record in caplog.records] == [1, 2]
    assert await queue.join(5)


async def test_a_job_that_raises_is_logged_in_one_line_and_stops_nothing(caplog):
    queue, log = BackgroundQueue(name="q", capacity=9), []

    async def fails() -> None:
        raise ValueError("first line\r\nERROR forged\x1b[2Jline\u2028end" + "x" * 10_000)

    def fails_at_once() -> Awaitable[None]:
        raise KeyError("early")

    queue.put(fails, label="bad job")
    queue.put(fails_at_once, label="worse job")
    queue.put(writes(log, 1), label="good job")
    assert await queue.join(5)
    assert log == [1]
    assert (queue.done, queue.failed) == (1, 2)
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith(
        "queue q: job bad job failed: ValueError: first line ERROR forged [2Jline end"
    )
    assert messages[1] == "queue q: job worse job failed: KeyError: 'early'"
    assert all(len(message) < 400 and message.isprintable() for message in messages)
    assert not any(record.exc_info for record in caplog.records)


async def test_a_job_that_cancels_itself_has_failed_and_stops_nothing():
    queue, log = BackgroundQueue(name="q", capacity=9), []

    async def gives_up() -> None:
        raise asyncio.CancelledError

    queue.put(gives_up, label="gives up")
    queue.put(writes(log, 1), label="good job")
    assert await queue.join(5)
    assert log == [1]
    assert (queue.done, queue.failed, queue.lost) == (1, 1, 0)


async def test_as_many_jobs_run_at_once_as_there_are_workers():
    queue = BackgroundQueue(name="q", capacity=9, workers=3)
    running, most, free = 0, 0, asyncio.Event()

    async def job() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            free.set()
        await free.wait()
        await asyncio.sleep(0)
        running -= 1

    for _ in range(9):
        queue.put(job, label="job")
    assert await queue.join(5)
    assert most == 3
    assert queue.done == 9


async def test_no_task_stays_when_nothing_waits():
    before = asyncio.all_tasks()
    queue = BackgroundQueue(name="q", capacity=9, workers=3)
    queue.put(writes([], 1), label="job")
    assert asyncio.all_tasks() != before
    assert await queue.join(5)
    assert asyncio.all_tasks() == before


async def test_a_job_sees_no_context_variable_of_the_request():
    user: ContextVar[str] = ContextVar("user", default="nobody")
    queue, seen = BackgroundQueue(name="q", capacity=9), []

    async def job() -> None:
        seen.append(user.get())

    user.set("alice")
    queue.put(job, label="job")
    assert await queue.join(5)
    assert seen == ["nobody"]


async def test_jobs_that_never_suspend_leave_the_loop_its_turns():
    queue, turns = BackgroundQueue(name="q", capacity=9), 0

    async def busy() -> None:
        time.sleep(0.006)  # noqa: ASYNC251 - holds the loop on purpose

    for _ in range(5):
        queue.put(busy, label="busy")
    while queue.done < 5:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 5


async def test_join_gives_up_at_its_deadline():
    queue = BackgroundQueue(name="q", capacity=9)
    queue.put(forever, label="forever")
    assert not await queue.join(0.01)
    await queue.aclose(seconds=0)


async def test_join_waits_for_jobs_that_jobs_put():
    queue, log = BackgroundQueue(name="q", capacity=9), []

    async def first() -> None:
        queue.put(writes(log, 2), label="second")
        log.append(1)

    queue.put(first, label="first")
    assert await queue.join(5)
    assert log == [1, 2]


async def test_aclose_drains_and_then_refuses(caplog):
    queue, log = BackgroundQueue(name="q", capacity=9), []
    for number in range(5):
        queue.put(writes(log, number), label="write")
    await queue.aclose()
    await queue.aclose()
    assert log == [0, 1, 2, 3, 4]
    assert not caplog.records
    assert not queue.put(writes(log, 9), label="late")
    assert queue.dropped == 1
    assert "queue q is closed: job late was dropped" in caplog.text


async def test_aclose_cancels_what_outlasts_the_grace_and_names_what_was_lost(caplog):
    queue, ended = BackgroundQueue(name="q", capacity=9), []

    async def stuck() -> None:
        try:
            await forever()
        finally:
            ended.append(True)

    queue.put(stuck, label="stuck")
    queue.put(forever, label="never begun")
    await queue.aclose(seconds=0.01)
    assert ended == [True]
    assert queue.lost == 2
    assert [record.getMessage() for record in caplog.records] == [
        "queue q: closed with 2 jobs undone: never begun, stuck"
    ]
    assert await queue.join(0)


async def test_aclose_that_is_cancelled_itself_leaves_nothing_running():
    queue = BackgroundQueue(name="q", capacity=9)
    queue.put(forever, label="stuck")
    closing = asyncio.create_task(queue.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert queue.lost == 1
    assert await queue.join(0)


def test_a_job_that_was_put_without_a_loop_runs_in_the_next_one():
    queue, log = BackgroundQueue(name="q", capacity=9), []
    assert queue.put(writes(log, 1), label="early")
    assert queue.waiting == 1
    assert asyncio.run(queue.join(5))
    assert log == [1]


def test_a_job_that_its_loop_interrupts_is_begun_again_in_the_next(caplog):
    queue, starts = BackgroundQueue(name="q", capacity=9), []

    async def job() -> None:
        starts.append(asyncio.get_running_loop())
        if len(starts) == 1:
            await forever()

    async def request() -> None:
        queue.put(job, label="job")
        await asyncio.sleep(0)

    asyncio.run(request())
    assert queue.waiting == 1
    assert "job job was interrupted" in caplog.text
    assert asyncio.run(queue.join(5))
    assert len(starts) == 2
    assert (queue.done, queue.lost) == (1, 0)


def test_a_job_that_was_done_when_its_loop_ended_is_not_begun_again():
    queue, starts = BackgroundQueue(name="q", capacity=9), []

    async def busy() -> None:
        starts.append(asyncio.current_task())
        time.sleep(0.006)  # noqa: ASYNC251 - so long that the worker then gives the loop a turn

    async def request() -> None:
        queue.put(busy, label="busy")
        await asyncio.sleep(0)
        starts[0].cancel()  # as the end of the loop does

    asyncio.run(request())
    assert asyncio.run(queue.join(5))
    assert len(starts) == 1
    assert (queue.done, queue.lost) == (1, 0)


def test_a_job_that_is_interrupted_again_and_again_is_lost(caplog):
    queue, starts = BackgroundQueue(name="q", capacity=9), []

    async def job() -> None:
        starts.append(1)
        await forever()

    async def request() -> None:
        await queue.join(0)
        await asyncio.sleep(0)

    queue.put(job, label="job")
    for _ in range(MOST_STARTS + 2):
        asyncio.run(request())
    assert len(starts) == MOST_STARTS
    assert (queue.lost, queue.waiting) == (1, 0)
    assert "job job was interrupted and is lost" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_worker_whose_loop_was_closed_under_it_is_replaced():
    queue, starts = BackgroundQueue(name="q", capacity=9), []

    async def job() -> None:
        starts.append(1)
        if len(starts) == 1:
            await forever()

    async def request() -> None:
        queue.put(job, label="job")
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # "Task was destroyed", as it should say
    loop.run_until_complete(request())
    loop.close()
    assert asyncio.run(queue.join(5))
    assert len(starts) == 2


def test_every_request_may_run_in_a_loop_of_its_own():
    queue, log = BackgroundQueue(name="q", capacity=9), []

    async def answer(number: int) -> int:
        queue.put(writes(log, number), label="job")
        queue.put(writes(log, -number), label="job")
        return number

    for number in range(1, 21):
        with start_blocking_portal() as portal:  # as starlette's TestClient does for each request
            assert portal.call(answer, number) == number
    assert asyncio.run(queue.join(5))
    assert log == [signed for number in range(1, 21) for signed in (number, -number)]
    assert queue.done == 40


def test_asyncios_debug_mode_has_nothing_to_complain_of(caplog):
    queue, log = BackgroundQueue(name="q", capacity=9, workers=2), []

    async def request() -> None:
        for number in range(9):
            queue.put(writes(log, number), label="job")
        await queue.aclose()

    asyncio.run(request(), debug=True)
    assert sorted(log) == list(range(9))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("sizes", [{"capacity": 0}, {"capacity": 1, "workers": 0}])
def test_a_queue_that_could_hold_or_do_nothing_is_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        BackgroundQueue(name="q", **sizes)
