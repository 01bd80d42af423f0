"""Work that is done after the answer."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regstack.models.line import one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

MOST_STARTS = 3
"""How often a job is begun whose event loop ends before it does."""

SECONDS_BETWEEN_WARNINGS = 60.0
_SLICE = 0.005
_POLL = 0.01
_SECONDS_TO_CANCEL = 1.0


@dataclass(slots=True, eq=False)
class _Job:
    run: Callable[[], Awaitable[None]]
    label: str
    starts: int = 0


class BackgroundQueue:
    """A bounded queue of jobs, worked off in the order of `put`.

    There is no idle task: `put` makes sure that the running event loop has workers, and a worker
    ends once nothing waits. So one queue outlives many event loops, and a job that a dying loop
    interrupts is begun again in the next one, `MOST_STARTS` times at the most. Jobs run in a
    context of their own and see no context variable of the request.

    Args:
        name: what logs call the queue.
        capacity: jobs that may wait; further ones are dropped.
        workers: jobs that run at the same time in one event loop; with 1 they run strictly one
            after the other.

    Attributes:
        name: as above.
        done: jobs that ended well.
        failed: jobs that raised.
        dropped: jobs that were not taken: the queue was full or closed.
        lost: jobs that were taken and not finished: cut off by `aclose`, or interrupted too often.
    """

    def __init__(self, *, name: str, capacity: int, workers: int = 1) -> None:
        if capacity < 1 or workers < 1:
            raise ValueError("capacity and workers must be at least 1")
        self.name = name
        self.done = 0
        self.failed = 0
        self.dropped = 0
        self.lost = 0
        self._capacity = capacity
        self._width = workers
        self._jobs: deque[_Job] = deque()
        self._workers: dict[asyncio.Task[None], _Job | None] = {}
        # Loops in several threads may share a queue. Reentrant, since logging or the collection
        # of a dead task may lead back here on the same thread.
        self._lock = threading.RLock()
        self._closed = False
        self._warned_at: float | None = None

    @property
    def waiting(self) -> int:
        """Jobs that no worker has begun yet."""
        return len(self._jobs)

    def put(self, job: Callable[[], Awaitable[None]], *, label: str) -> bool:
        """Take a job to be run soon; never waits and never raises.

        Without a running event loop the job waits for the next `put` or `join` that has one.

        Args:
            job: makes the awaitable that does the work.
            label: what logs call the job; no secrets, no addresses.

        Returns:
            False where the queue is full or closed: the job will not run.
        """
        with self._lock:
            if self._closed or len(self._jobs) >= self._capacity:
                self.dropped += 1
                self._warn_of_drops(label)
                return False
            self._jobs.append(_Job(job, label))
            self._hire()
        return True

    async def join(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits and nothing runs; not to be called from a job.

        Args:
            timeout: seconds at the most; None waits as long as it takes.

        Returns:
            Whether everything was done in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                self._hire()
                if not self._jobs and not self._workers:
                    return True
                workers = self._workers_here()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            # Workers of other loops cannot be awaited here, so they are looked at now and then.
            elsewhere = len(workers) < len(self._workers)
            pause = _POLL if elsewhere else left
            if workers:
                await asyncio.wait(workers, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(_POLL)

    async def aclose(self, grace: float = 10.0) -> None:
        """Refuse new jobs, finish those that are there, and cancel what is left after the grace.

        What is cancelled or was never begun is counted in `lost` and logged. May be called twice.

        Args:
            grace: seconds that the work may still take.
        """
        self._closed = True
        try:
            await self.join(grace)
        finally:
            cancelled = self._cut_off()
        if cancelled:
            await asyncio.wait(cancelled, timeout=_SECONDS_TO_CANCEL)

    def _cut_off(self) -> list[asyncio.Task[None]]:
        with self._lock:
            here = self._workers_here()
            cut_off = [*(job for job in self._workers.values() if job), *self._jobs]
            self._jobs.clear()
            for worker in self._workers:
                loop = worker.get_loop()
                if worker in here:
                    worker.cancel()
                elif not loop.is_closed():
                    loop.call_soon_threadsafe(worker.cancel)
            self._workers.clear()
            self.lost += len(cut_off)
        if cut_off:
            labels = ", ".join(sorted({one_line(job.label, 60) for job in cut_off}))
            logger.error("queue %s: closed with %d jobs undone: %s", self.name, len(cut_off), labels)
        return here

    def _hire(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._bury()
        for _ in range(min(self._width - len(self._workers_here()), len(self._jobs))):
            # An empty context: the request's variables must neither leak into the job nor live on.
            # No `create_task`: a loop's eager task factory would run the job inside of `put`.
            worker = asyncio.Task(self._work(), loop=loop, name=f"regstack-{self.name}", context=Context())
            self._workers[worker] = None

    def _workers_here(self) -> list[asyncio.Task[None]]:
        loop = asyncio.get_running_loop()
        return [worker for worker in self._workers if worker.get_loop() is loop]

    def _bury(self) -> None:
        """Forget workers that ended with their loop, and put back what they had begun."""
        for worker in [each for each in self._workers if each.done() or each.get_loop().is_closed()]:
            self._put_back(self._workers.pop(worker))

    def _put_back(self, job: _Job | None) -> None:
        if job is None:
            return
        if self._closed or job.starts >= MOST_STARTS:
            self.lost += 1
            logger.error("queue %s: job %s was interrupted and is lost", self.name, one_line(job.label, 60))
            return
        self._jobs.appendleft(job)
        logger.warning(
            "queue %s: job %s was interrupted by the end of its event loop and will be begun again",
            self.name,
            one_line(job.label, 60),
        )

    def _take(self, worker: asyncio.Task[None]) -> _Job | None:
        """The worker's next job; one that gets none is off the list, so that `put` hires anew."""
        with self._lock:
            if worker not in self._workers:  # cut off
                return None
            if not self._jobs:
                del self._workers[worker]
                return None
            job = self._workers[worker] = self._jobs.popleft()
            job.starts += 1
            return job

    async def _work(self) -> None:
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 - tells the type checker what asyncio guarantees
        slice_end = time.monotonic() + _SLICE
        while (job := self._take(worker)) is not None:
            try:
                await job.run()
            except asyncio.CancelledError as error:
                if worker.cancelling():
                    with self._lock:
                        self._put_back(self._workers.pop(worker, None))
                    raise
                self._count_failure(worker, job, error)
            except Exception as error:  # noqa: BLE001 - a job's failure ends with the job
                self._count_failure(worker, job, error)
            else:
                self._settle(worker)
                self.done += 1
            # Jobs that never suspend must not hold the loop for as long as the queue is.
            if time.monotonic() > slice_end:
                await asyncio.sleep(0)
                slice_end = time.monotonic() + _SLICE

    def _settle(self, worker: asyncio.Task[None]) -> None:
        with self._lock:
            if worker in self._workers:
                self._workers[worker] = None

    def _count_failure(self, worker: asyncio.Task[None], job: _Job, error: BaseException) -> None:
        self._settle(worker)
        self.failed += 1
        logger.error(
            "queue %s: job %s failed: %s: %s",
            self.name,
            one_line(job.label, 60),
            type(error).__name__,
            one_line(error),
        )

    def _warn_of_drops(self, label: str) -> None:
        now = time.monotonic()
        if self._warned_at is not None and now - self._warned_at < SECONDS_BETWEEN_WARNINGS:
            return
        self._warned_at = now
        logger.warning(
            "queue %s is %s: job %s was dropped (%d so far)",
            self.name,
            "closed" if self._closed else "full",
            one_line(label, 60),
            self.dropped,
        )
