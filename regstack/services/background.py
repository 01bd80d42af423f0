"""Work that is done after the answer."""

from __future__ import annotations

import asyncio
import logging
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
_SECONDS_TO_CANCEL = 1.0


@dataclass(slots=True, eq=False)
class _Job:
    run: Callable[[], Awaitable[None]]
    label: str
    starts: int = 0


class BackgroundQueue:
    """A bounded queue of jobs, worked off in the order of `put`.

    There is no idle task: `put` makes sure that the running event loop has workers, and a worker
    ends once nothing waits. A queue serves one event loop at a time and any number one after the
    other; a job that a dying loop interrupts is begun again in the next one, `MOST_STARTS` times
    at the most. Jobs run in a context of their own and see no context variable of the request.

    Args:
        name: what logs call the queue.
        capacity: jobs that may wait; further ones are dropped.
        workers: jobs that run at the same time; with 1 they run strictly one after the other.

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
        self._loop: asyncio.AbstractEventLoop | None = None
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
        if self._closed or len(self._jobs) >= self._capacity:
            self.dropped += 1
            self._warn_of_drops(label)
            return False
        self._jobs.append(_Job(job, label))
        self._hire()
        return True

    async def join(self, seconds: float | None = None) -> bool:
        """Wait until nothing waits and nothing runs; not to be called from a job.

        Args:
            seconds: how long at the most; None waits as long as it takes.

        Returns:
            Whether everything was done in time.
        """
        try:
            async with asyncio.timeout(seconds):
                self._hire()
                while self._workers:
                    await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
                    self._hire()
        except TimeoutError:
            return False
        return True

    async def aclose(self, seconds: float = 10.0) -> None:
        """Refuse new jobs, finish those that are there, and cancel what is left in the end.

        What is cancelled or was never begun is counted in `lost` and logged. May be called twice.

        Args:
            seconds: how long the work may still take.
        """
        self._closed = True
        try:
            await self.join(seconds)
        finally:
            cancelled = self._cut_off()
        if cancelled:
            await asyncio.wait(cancelled, timeout=_SECONDS_TO_CANCEL)

    def _cut_off(self) -> list[asyncio.Task[None]]:
        workers = list(self._workers)
        undone = [*(job for job in self._workers.values() if job), *self._jobs]
        self._jobs.clear()
        self._workers.clear()
        for worker in workers:
            worker.cancel()
        self.lost += len(undone)
        if undone:
            labels = ", ".join(sorted({one_line(job.label, 60) for job in undone}))
            logger.error("queue %s: closed with %d jobs undone: %s", self.name, len(undone), labels)
        return workers

    def _hire(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if loop is not self._loop:
            self._loop, interrupted = loop, list(self._workers.values())
            self._workers.clear()
            for job in reversed(interrupted):
                self._put_back(job)
        for _ in range(min(self._width - len(self._workers), len(self._jobs))):
            # An empty context: the request's variables must neither leak into the job nor live on.
            # No `create_task`: a loop's eager task factory would run the job inside of `put`.
            worker = asyncio.Task(self._work(), loop=loop, name=f"regstack-{self.name}", context=Context())
            self._workers[worker] = None

    def _put_back(self, job: _Job | None) -> None:
        if job is None:
            return
        label = one_line(job.label, 60)
        if self._closed or job.starts >= MOST_STARTS:
            self.lost += 1
            logger.error("queue %s: job %s was interrupted and is lost", self.name, label)
            return
        self._jobs.appendleft(job)
        logger.warning(
            "queue %s: job %s was interrupted by the end of its event loop and will be begun again",
            self.name,
            label,
        )

    async def _work(self) -> None:
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 - tells the type checker what asyncio guarantees
        while worker in self._workers and self._jobs:
            job = self._workers[worker] = self._jobs.popleft()
            job.starts += 1
            try:
                await job.run()
            except asyncio.CancelledError as error:
                if worker.cancelling():
                    self._put_back(self._workers.pop(worker, None))
                    raise
                self._count_failure(job, error)
            except Exception as error:  # noqa: BLE001 - a job's failure ends with the job
                self._count_failure(job, error)
            else:
                self.done += 1
            if worker in self._workers:
                self._workers[worker] = None
            # Jobs that never suspend must not hold the loop for as long as the queue is.
            if self._jobs:
                await asyncio.sleep(0)
        # Off the list before the task ends, so that `put` hires anew.
        self._workers.pop(worker, None)

    def _count_failure(self, job: _Job, error: BaseException) -> None:
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
