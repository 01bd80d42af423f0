from __future__ import annotations

import pytest

from benchmarks.figures import Figures
from benchmarks.rounds import Spread, in_turns, ratio


def test_a_goal_is_met_or_missed_by_the_median_and_then_says_why() -> None:
    figures = Figures()
    figures.add("shares", "one", 0.7, low=0.6, high=0.9, goal="≥ 0.70, aim 0.90", why="it waits")
    figures.add("shares", "two", 0.69, low=0.6, high=0.9, goal="≥ 0.70", why="it | waits", note="idle")
    figures.add("costs", "three", 1300, low=1200, high=1400, goal="≤ 1,300", unit="ms")
    figures.add("costs", "four", 1, low=1, high=1, unit="")
    figures.add("costs", "five", 2, low=2, high=2, goal="≤ 1", unit="")
    assert figures.text() == [
        "",
        "shares",
        "  one    0.70 × (0.60 to 0.90)      ≥ 0.70, aim 0.90  met",
        "  two    0.69 × (0.60 to 0.90)      ≥ 0.70            missed",
        "      it | waits; idle",
        "",
        "costs",
        "  three  1,300 ms (1,200 to 1,400)  ≤ 1,300           met",
        "  four   1",
        "  five   2                          ≤ 1               missed",
        "      no reason given",
    ]
    assert "| two | 0.69 × (0.60 to 0.90) | ≥ 0.70 | missed | it &#124; waits; idle |" in figures.markdown()


def test_a_goal_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="write the goal"):
        Figures().add("shares", "one", 1, low=1, high=1, goal="0.70 or more")


def test_things_are_measured_in_turns_and_compared_round_by_round() -> None:
    order: list[str] = []

    def measured(name: str, base: float) -> float:
        order.append(name)
        return base * len(order)

    taken = in_turns({"a": lambda: measured("a", 1), "b": lambda: measured("b", 2)}, rounds=2)
    assert order == ["a", "b", "a", "b", "b", "a"]
    assert taken == {"a": [3, 6], "b": [8, 10]}
    assert ratio(taken["b"], taken["a"]) == Spread((8 / 3 + 10 / 6) / 2, 10 / 6, 8 / 3)
