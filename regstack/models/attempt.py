"""The answer to a claimed attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True)
class AttemptDecision:
    """Whether an attempt that was just counted may go on.

    Attributes:
        allowed: the count, this attempt included, is within the limit.
        remaining: attempts left in the window, never negative.
        retry_after: time until the window ends; zero where `allowed`.
    """

    allowed: bool
    remaining: int
    retry_after: timedelta
