"""Hearing of changes that other processes make, for as long as the instance runs."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING

from regstack.backends.changes import ANYTHING
from regstack.errors import RegStackError
from regstack.models.line import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.backends.changes import Change, ChangeFeed

logger = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 30.0


class ChangeListener:
    """Passes on what a feed tells, and `ANYTHING` whenever something may have been missed.

    It listens again by itself, after pauses that grow as long as it fails.

    Args:
        feed: what is listened to.
        heard: what is called with each change.
        pause: seconds between two attempts at first.
    """

    def __init__(self, feed: ChangeFeed, heard: Callable[[Change], None], *, pause: float = 0.5) -> None:
        self._feed = feed
        self._heard = heard
        self._pause = pause
        tenacity = import_module("tenacity")  # here, so that importing regstack does not cost it
        wait = tenacity.wait_random_exponential(multiplier=pause, max=LONGEST_PAUSE_SECONDS)
        self._retrying = tenacity.AsyncRetrying(wait=wait)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen on the running event loop, unless that is done or was done there; never waits."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._leave()
            self._loop = loop
            # An empty context: whose request happens to be the first one is not to live on in it.
            self._task = asyncio.Task(self._listen(), loop=loop, name="regstack-changes", context=Context())

    async def aclose(self) -> None:
        """Stop listening; `start` begins anew."""
        task, loop = self._task, self._loop
        self._leave()
        if task is not None and loop is asyncio.get_running_loop():
            await asyncio.wait({task})

    def _leave(self) -> None:
        """End the task, on whichever loop it runs."""
        if self._task is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._task = self._loop = None

    async def _listen(self) -> None:
        while True:
            if not await self._retrying(self._follow):
                return
            await asyncio.sleep(self._pause)

    async def _follow(self) -> bool:
        """Listen until that ends; False where there is nothing to listen to.

        Raises:
            Exception: it could not even begin.
        """
        began = False
        try:
            async with aclosing(self._feed.listen()) as changes:
                async for change in changes:
                    began = True
                    self._heard(change)
        except Exception as error:
            logger.warning("changes that other processes make are not heard of: %s", _reason(error))
            if not began:
                raise
        finally:
            self._heard(ANYTHING)
        return began


def _reason(error: Exception) -> str:
    """Type, and the message only where it is one of ours: others may quote addresses and passwords."""
    name = type(error).__name__
    return f"{name}: {one_line(error)}" if isinstance(error, RegStackError) else name
