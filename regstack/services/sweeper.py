"""Deleting what has expired, now and then, on one worker at a time."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextvars import Context
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from regstack.models.line import one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from regstack.auth.clock import Clock
    from regstack.backends.protocols import LoginAttemptRepoProtocol

    class Purge(Protocol):
        """As `Backend.purge_expired`."""

        def __call__(self, now: datetime, *, grace: timedelta) -> Awaitable[Mapping[str, int]]:
            """Delete what expired more than `grace` before `now`; say how many rows of what."""


logger = logging.getLogger(__name__)

ELECTION = "sweeper"
"""What the workers claim; no keyed hash, as the keys of all other counters are, looks like it."""

GRACE = timedelta(days=1)
"""How long rows stay after their expiry: a sweep goes by one worker's clock, and is for all of them."""

SPREAD = 10
"""A tenth of the interval: workers that started together do not ask together."""


class Sweeper:
    """Calls `purge` once an interval, on whichever of the workers asks first.

    The workers elect the one that sweeps by a claim that storage grants once an interval. So nothing
    has to be given back: of a worker that dies while it sweeps, the next interval makes another one.

    Args:
        purge: `Backend.purge_expired`.
        attempts: where the claim is made.
        clock: what expiry and the claim go by; waits go by the event loop's own time.
        seconds: the interval; 0 sweeps never.
        wait: waits for so many seconds.
    """

    def __init__(
        self,
        purge: Purge,
        attempts: LoginAttemptRepoProtocol,
        clock: Clock,
        *,
        seconds: float,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._purge = purge
        self._attempts = attempts
        self._clock = clock
        self._seconds = seconds
        self._wait = wait
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweep from now on, the first time soon, but not in the bustle of the start."""
        if self._seconds and self._task is None:
            # In an empty context, since a sweep works for no caller.
            loop = asyncio.get_running_loop()
            self._task = asyncio.Task(self._run(), loop=loop, name="regstack-sweeper", context=Context())

    async def aclose(self) -> None:
        """Stop at once, in the middle of a sweep as well; the next one goes on with what it left."""
        task, self._task = self._task, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])

    async def sweep(self) -> bool:
        """Purge, if this worker is elected; say whether it was."""
        now, interval = self._clock.now(), timedelta(seconds=self._seconds)
        election = await self._attempts.claim(ELECTION, limit=1, window=interval, now=now)
        if not election.allowed:
            return False
        deleted = await self._purge(now, grace=GRACE)
        if any(deleted.values()):
            told = ", ".join(f"{count} of {name}" for name, count in deleted.items() if count)
            logger.info("purged what had expired: %s", told)
        return True

    async def _run(self) -> None:
        await self._wait(self._part_of_interval() + self._seconds / (2 * SPREAD))
        while True:
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next interval tries again
                logger.warning(
                    "the purge failed and is tried again later: %s: %s", type(error).__name__, one_line(error)
                )
            await self._wait(self._seconds + self._part_of_interval())

    def _part_of_interval(self) -> float:
        return self._seconds / SPREAD * secrets.randbelow(1000) / 1000
