"""Measured figures beside their goals, and the table that they make."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

GOAL = re.compile(r"(?P<sign>[≥≤]) ?(?P<bound>[\d.,]+)")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing.

    Attributes:
        group: what stands together in the table.
        name: what was measured.
        value: the median of the rounds.
        low: their lowest.
        high: their highest.
        goal: begins with a bound such as `≥ 0.70`; empty where nothing is to be reached.
        unit: `×` for a ratio.
        note: what a reader must know.
        why: what keeps it from its goal, for where that is missed.
    """

    group: str
    name: str
    value: float
    low: float
    high: float
    goal: str = ""
    unit: str = "×"
    note: str = ""
    why: str = ""

    @property
    def verdict(self) -> str:
        """Say `met` or `missed`, and nothing where there is no goal."""
        if not self.goal:
            return ""
        found = GOAL.match(self.goal)
        if found is None:
            raise ValueError(f"write the goal of {self.name!r} as ≥ or ≤ and a number, not {self.goal!r}")
        bound = float(found["bound"].replace(",", ""))
        reached = self.value >= bound if found["sign"] == "≥" else self.value <= bound
        return "met" if reached else "missed"

    @property
    def remark(self) -> str:
        """Give the note, and of a missed goal why it is missed, or that nobody said so."""
        why = (self.why or "no reason given") if self.verdict == "missed" else ""
        return "; ".join(part for part in (why, self.note) if part)

    @property
    def measured(self) -> str:
        """Give the value with its spread."""
        value = " ".join(part for part in (shown(self.value), self.unit) if part)
        if self.low == self.value == self.high:
            return value
        return f"{value} ({shown(self.low)} to {shown(self.high)})"


@dataclass
class Figures:
    """All figures of a run, in the order in which their groups began.

    Attributes:
        versions: what they were measured with, by name.
    """

    versions: dict[str, str] = field(default_factory=dict)
    _groups: dict[str, list[Figure]] = field(default_factory=dict)

    def add(
        self,
        group: str,
        name: str,
        value: float,
        *,
        low: float,
        high: float,
        goal: str = "",
        unit: str = "×",
        note: str = "",
        why: str = "",
    ) -> None:
        """Take a figure into the table; the arguments are those of `Figure`."""
        figure = Figure(group, name, value, low, high, goal, unit, note, why)
        figure.verdict  # noqa: B018 - a goal that cannot be read is told by the test that wrote it
        self._groups.setdefault(group, []).append(figure)

    def text(self) -> list[str]:
        """Give the table for a terminal, line by line; a note stands below what it belongs to."""
        rows = [_cells(figure) for group in self._groups.values() for figure in group]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for group, members in self._groups.items():
            lines += ["", group]
            for figure in members:
                padded = (cell.ljust(width) for cell, width in zip(_cells(figure), widths, strict=True))
                lines.append(f"  {'  '.join(padded)}".rstrip())
                lines += [f"      {figure.remark}"] if figure.remark else []
        return lines

    def markdown(self) -> list[str]:
        """Give the table for a page, line by line."""
        lines = ["| | measured (lowest to highest) | goal | | note |", "|---|---|---|---|---|"]
        for group, members in self._groups.items():
            lines.append(f"| **{group}** | | | | |")
            for figure in members:
                cells = (cell.replace("|", "&#124;") for cell in (*_cells(figure), figure.remark))
                lines.append(f"| {' | '.join(cells)} |")
        return lines


def _cells(figure: Figure) -> tuple[str, ...]:
    return figure.name, figure.measured, figure.goal, figure.verdict


def shown(value: float) -> str:
    """Write a number with three digits, or with all that stand before the point."""
    if value == int(value):
        return f"{value:,.0f}"
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"
