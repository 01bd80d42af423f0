"""A value that is fetched when it is needed, and kept for a while."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

from regstack.errors import OAuthUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

LIFE_SECONDS = 3600.0
"""How long keys and descriptions are used without asking again."""

PAUSE_SECONDS = 60.0
"""The shortest time between two fetches for the sake of something that is missing."""


class Remembered(Generic[T]):
    """One value, fetched by one flight at a time that all who wait share.

    Each event loop has flights of its own; the value is for all. Whoever stops waiting leaves the
    flight alone, and a failed one is forgotten: the next who asks starts another.

    Args:
        fetch: gives the value, in bounded time.
        now: a clock that is never set back.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], now: Callable[[], float] = monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._value: tuple[T, float] | None = None
        self._last_start = -PAUSE_SECONDS
        self._flights: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[T]] = WeakKeyDictionary()

    async def get(self) -> T:
        """Give the value, fetched within the last hour.

        Raises:
            OAuthError: it had to be fetched, and that failed.
        """
        if self._value is not None and self._now() < self._value[1]:
            return self._value[0]
        return await self._join()

    async def renew(self) -> T | None:
        """Give a value that was fetched just now, or None where the last fetch was a moment ago.

        So nobody who makes values up that are missing here can have the provider asked more than
        once a minute.

        Raises:
            OAuthError: it was fetched, and that failed.
        """
        flying = self._flights.get(asyncio.get_running_loop())
        if (flying is None or flying.done()) and self._now() - self._last_start < PAUSE_SECONDS:
            return None
        return await self._join()

    async def aclose(self) -> None:
        """Break off what is under way in this event loop."""
        flying = self._flights.pop(asyncio.get_running_loop(), None)
        if flying is not None:
            flying.cancel()
            await asyncio.wait([flying])

    async def _join(self) -> T:
        loop = asyncio.get_running_loop()
        flying = self._flights.get(loop)
        if flying is None or flying.done():
            self._last_start = self._now()
            flying = self._flights[loop] = loop.create_task(self._fly())
            # Its failure is told to those who wait, and there may be none left.
            flying.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            return await asyncio.shield(flying)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if flying.cancelled() and (task is None or not task.cancelling()):
                raise OAuthUnavailable("closed while it was asked") from None
            raise

    async def _fly(self) -> T:
        value = await self._fetch()
        self._value = value, self._now() + LIFE_SECONDS
        return value
