"""Things measured in turns, so that a busy moment of the machine hits all of them alike."""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

ROUNDS = int(os.environ.get("REGSTACK_BENCH_ROUNDS", "5"))
"""How often each thing is measured, unless a benchmark says otherwise."""


class Spread(NamedTuple):
    """What the rounds gave.

    Attributes:
        value: their median.
        low: their lowest.
        high: their highest.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, rounds: Iterable[float]) -> Spread:
        """Sum rounds up."""
        taken = sorted(rounds)
        return cls(statistics.median(taken), taken[0], taken[-1])


def in_turns(measured: Mapping[str, Callable[[], T]], *, rounds: int = ROUNDS) -> dict[str, list[T]]:
    """Measure each thing once a round; every other round goes backwards, so none always follows another.

    Args:
        measured: does the work and gives what it cost.
        rounds: how often; a first one, which fills caches, is thrown away.
    """
    for work in measured.values():
        work()
    taken: dict[str, list[T]] = {name: [] for name in measured}
    for number in range(rounds):
        for name in list(measured) if number % 2 == 0 else reversed(list(measured)):
            taken[name].append(measured[name]())
    return taken


def ratio(subject: Iterable[float], floor: Iterable[float]) -> Spread:
    """Divide round by round, so that what slows a whole round down leaves no trace."""
    return Spread.of(one / other for one, other in zip(subject, floor, strict=True))
