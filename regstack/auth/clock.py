"""Where the time comes from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from regstack.models.instant import instant


class Clock(Protocol):
    """Tells the time; the only source of it in regstack."""

    def now(self) -> datetime:
        """Give the current moment, in UTC with whole milliseconds."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Give the machine's time in UTC, cut to whole milliseconds."""
        return instant(datetime.now(UTC))


class FrozenClock:
    """A clock that moves only when told to.

    Args:
        at: where it stands, with a time zone; without it, the moment of construction.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._now = instant(at if at is not None else datetime.now(UTC))

    def now(self) -> datetime:
        """Give the time that was set."""
        return self._now

    def advance(self, delta: timedelta) -> None:
        """Move by `delta`; a negative one moves back."""
        self._now = instant(self._now + delta)
