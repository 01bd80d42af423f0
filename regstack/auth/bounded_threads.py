"""Threads for work that would hold up the event loop, with a bounded queue before them."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from regstack.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from concurrent.futures import Future

    HungUp = Callable[[], Coroutine[Any, Any, None] | None]
    """Gives what ends once nobody waits for the running task any more; None where that cannot be told."""

T = TypeVar("T")

FIRST_GUESS_SECONDS = 0.05
"""How long a piece of work takes, before one was measured."""

SHARE_OF_SIGNED_IN = 8
"""One in so many places of the queue is kept for those who are signed in."""


class BoundedThreads:
    """Does work in threads of its own, first come, first served.

    All work takes equally long, so who came first is the whole order: a kind of request gets as much of the
    threads as it has of the queue, and nobody waits longer than a full queue takes. Strangers cannot fill it:
    some places are for those who are signed in. Threads start at first use and end with `close`.

    Args:
        threads: how many pieces of work run at the same time.
        queue_size: how many may wait for a thread.
        hung_up: tells of a task whether anybody still waits for it; work that nobody waits for is not begun.
    """

    def __init__(self, threads: int, queue_size: int, *, hung_up: HungUp = lambda: None) -> None:
        self._threads = threads
        self._capacity = threads + queue_size
        self._kept = queue_size // SHARE_OF_SIGNED_IN
        self._hung_up = hung_up
        self._taken = 0
        self._seconds = FIRST_GUESS_SECONDS
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    @contextmanager
    def turn(self, *, signed_in: bool = False) -> Iterator[Turn]:
        """Hold a place from here on, so that what is paid for before the work is not paid for in vain.

        It is free again at the end of the block, or of the work where that has begun and goes on.

        Args:
            signed_in: also the places may be taken that are kept for those who are.

        Raises:
            Overloaded: there is none.
        """
        with self._lock:
            if self._taken >= self._capacity - (0 if signed_in else self._kept):
                raise self.overloaded()
            self._taken += 1
        turn = Turn(self)
        try:
            yield turn
        finally:
            turn.when_done(self._give_back)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Begin a piece of work as soon as there is a thread for it."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="regstack-password")
            return self._executor.submit(self._timed, work)

    def watch(self) -> asyncio.Task[None] | None:
        """Give a task that ends once nobody waits for the running one; None where that cannot be told."""
        hung_up = self._hung_up()
        return None if hung_up is None else asyncio.create_task(hung_up, name="regstack-hung-up")

    def overloaded(self) -> Overloaded:
        """Say when what waits now will be done, at the pace of late, and up to twice as long after it.

        Those who are turned away together should not come back together.
        """
        seconds = self._taken * self._seconds / self._threads
        return Overloaded(timedelta(seconds=seconds * (1 + secrets.randbelow(1000) / 1000)))

    def close(self) -> None:
        """End the threads; what waits is dropped."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _timed(self, work: Callable[[], T]) -> T:
        start = time.monotonic()
        done = work()
        with self._lock:
            self._seconds += (time.monotonic() - start - self._seconds) / 8
        return done

    def _give_back(self, _: object) -> None:
        with self._lock:
            self._taken -= 1


class Turn:
    """A place among the threads; made by `BoundedThreads.turn`."""

    def __init__(self, threads: BoundedThreads) -> None:
        self._threads = threads
        self._begun: Future[Any] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread, and give what it gives.

        Raises:
            Overloaded: whoever asked hung up while it waited, and it was not begun.
        """
        self._begun = future = self._threads.submit(work)
        answer, watch = asyncio.wrap_future(future), self._threads.watch()
        try:
            if watch is not None:
                either: set[asyncio.Future[Any]] = {answer, watch}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if watch.done() and watch.exception() is None and future.cancel():
                    raise self._threads.overloaded()
            return await answer
        finally:
            future.cancel()
            if watch is not None:
                watch.cancel()

    def when_done(self, call: Callable[[object], None]) -> None:
        """Call back once no thread works on this turn."""
        if self._begun is None:
            call(None)
        else:
            self._begun.add_done_callback(call)
