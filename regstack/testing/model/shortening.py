"""The shortest program that still fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regstack.testing.expectation import ClauseBroken
    from regstack.testing.model.program import Step

PATIENCE_SECONDS = 20.0
"""After which a failure is shown as short as it is by then."""


def shorten(
    program: Sequence[Step],
    broken: ClauseBroken,
    attempt: Callable[[Sequence[Step]], tuple[Sequence[Step], ClauseBroken] | None],
    *,
    patience: float = PATIENCE_SECONDS,
) -> ClauseBroken:
    """Leave out what a failure does not need: halves at first, single steps in the end.

    Every step holds its values, so that what is left is a program too. Hypothesis could make the
    values simpler as well, and would keep a slow server busy for five minutes.

    Args:
        program: fails at its last step.
        broken: how it fails.
        attempt: takes the steps; gives those that were taken up to the failure, with the failure.
        patience: seconds.

    Returns:
        How the shortest program found fails, by the same clauses.
    """
    steps = list(program)
    until = time.monotonic() + patience
    size = max(1, len(steps) // 2)
    while True:
        removed = False
        end = len(steps) - 1
        while end > 0 and time.monotonic() < until:
            start = max(0, end - size)
            failed = attempt(steps[:start] + steps[end:])
            if failed is not None and failed[1].clauses == broken.clauses:
                steps, broken = list(failed[0]), failed[1]
                removed = True
            end = min(start, len(steps) - 1)
        if time.monotonic() >= until or (size == 1 and not removed):
            return broken
        size = max(1, size // 2)
