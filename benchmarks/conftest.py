"""Ratios of things measured in the same run, one after the other in turns.

A figure in seconds says more about the machine than about the code, so none is printed, and
nothing asserts one. A ratio is `subject / floor`: medians of CPU time of the whole process, all
threads included.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS = 7

_lines = pytest.StashKey[list[str]]()


class Compare(Protocol):
    """Measures several things in turns and keeps their ratios for the summary."""

    def __call__(self, title: str, *, floor: str, **measured: Callable[[], float]) -> Mapping[str, float]:
        """Give each thing's ratio to `floor`; each callable does its work and gives CPU seconds."""


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the lines of the summary."""
    config.stash[_lines] = []


@pytest.fixture
def compare(pytestconfig: pytest.Config) -> Compare:
    """Measure in turns, so that a busy moment of the machine hits everything alike."""

    def run(title: str, *, floor: str, **measured: Callable[[], float]) -> Mapping[str, float]:
        for work in measured.values():
            work()
        seconds: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(ROUNDS):
            for name, work in measured.items():
                seconds[name].append(work())
        base = statistics.median(seconds[floor])
        ratios = {name: statistics.median(each) / base for name, each in seconds.items()}
        lines = pytestconfig.stash[_lines]
        lines.append(f"{title}, relative to: {floor.replace('_', ' ')}")
        for name, each in seconds.items():
            if name != floor:
                low, high = min(each) / base, max(each) / base
                lines.append(
                    f"  {name.replace('_', ' '):<44} {ratios[name]:7.2f}   ({low:.2f} to {high:.2f})"
                )
        return ratios

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print all ratios of the run."""
    terminalreporter.section(f"ratios of CPU time, median of {ROUNDS} rounds (lowest to highest)")
    for line in config.stash[_lines]:
        terminalreporter.write_line(line)
