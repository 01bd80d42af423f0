"""What was done to a backend, step by step."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.contest import Call, Outcome


@dataclass(frozen=True, slots=True)
class Move:
    """The clock moves on, or back."""

    delta: timedelta


Step: TypeAlias = "Call | Move"


async def replay(steps: Sequence[Step], backend: Backend, clock: FrozenClock) -> list[Outcome]:
    """Take the steps once more; give the outcome of every call, in their order."""
    outcomes = []
    for step in steps:
        if isinstance(step, Move):
            clock.advance(step.delta)
        else:
            outcomes.append(await step.make(backend))
    return outcomes


class Notation:
    """Writes steps and values for people: what they are called in place of ids and hashes.

    Args:
        start: where the clock stood; moments are written as seconds from it.
        symbols: names by value.
    """

    def __init__(self, start: datetime, symbols: Mapping[str, str]) -> None:
        self._start = start
        self._symbols = symbols

    def step(self, step: Step) -> str:
        """Write a step."""
        if isinstance(step, Move):
            return f"clock.advance({self.value(step.delta)})"
        arguments = [self.value(argument) for argument in step.args]
        arguments += [f"{name}={self.value(value)}" for name, value in step.kwargs.items()]
        return f"{step.operation}({', '.join(arguments)})"

    def outcome(self, outcome: Outcome) -> str:
        """Write what a call came to."""
        if outcome.error is not None:
            return f"{outcome.error.__module__}.{outcome.error.__qualname__}"
        return self.value(outcome.value)

    def value(self, value: Any) -> str:
        """Write a value; fields of a dataclass that have their default are left out."""
        match value:
            case Enum():
                return f"{type(value).__name__}.{value.name}"
            case str():
                return self._text(value)
            case datetime():
                return f"T{(value - self._start) / timedelta(seconds=1):+.10g}s"
            case timedelta():
                return f"{value / timedelta(seconds=1):.10g}s"
            case list():
                return f"[{', '.join(map(self.value, value))}]"
        if is_dataclass(value):
            given = [
                f"{field.name}={self.value(getattr(value, field.name))}"
                for field in fields(value)
                if field.default is MISSING or getattr(value, field.name) != field.default
            ]
            return f"{type(value).__name__}({', '.join(given)})"
        return repr(value)

    def _text(self, value: str) -> str:
        for form, spelling in ((value, "{}"), (value.lower(), "{}.upper()")):
            if form in self._symbols:
                return spelling.format(self._symbols[form])
        # Escapes tell apart what looks alike.
        return ascii(value)
