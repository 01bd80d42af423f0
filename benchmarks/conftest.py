"""Collects the figures of a run, prints their table and writes it down.

A figure in seconds says more about the machine than about the code, so nearly all are ratios of
things measured in the same run, and nothing asserts one.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from benchmarks.figures import Figures
from benchmarks.results import page
from benchmarks.rounds import ROUNDS, in_turns, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

_figures = pytest.StashKey[Figures]()
_began = pytest.StashKey[float]()


class Compare(Protocol):
    """Measures several things in turns and keeps their ratios for the table."""

    def __call__(self, title: str, *, floor: str, **measured: Callable[[], float]) -> None:
        """Add each thing's ratio to `floor`; each callable does its work and gives CPU seconds."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file to write the table to."""
    parser.addoption("--results", type=Path, help="Markdown file that takes the table of figures.")


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the figures."""
    config.stash[_figures] = Figures()
    config.stash[_began] = time.monotonic()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Give what takes measured figures into the table at the end of the run."""
    return pytestconfig.stash[_figures]


@pytest.fixture
def compare(figures: Figures) -> Compare:
    """Measure in turns, and add the ratios to the table."""

    def run(title: str, *, floor: str, **measured: Callable[[], float]) -> None:
        taken = in_turns(measured)
        for name, rounds in taken.items():
            if name != floor:
                value, low, high = ratio(rounds, taken[floor])
                group = f"{title}, over {floor.replace('_', ' ')}"
                figures.add(group, name.replace("_", " "), value, low=low, high=high)

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print all figures of the run, and write them where `--results` says."""
    taken = config.stash[_figures]
    minutes = (time.monotonic() - config.stash[_began]) / 60
    terminalreporter.section(f"figures: the median of {ROUNDS} rounds (lowest to highest)")
    for line in taken.text():
        terminalreporter.write_line(line)
    if path := config.getoption("results"):
        path.write_text(page(taken, minutes=minutes))
        terminalreporter.write_line(f"\nwritten to {path}")
