"""A backend and the reference, called side by side."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING

from regstack.testing.clauses import REPOSITORIES, Clause, catalogue
from regstack.testing.expectation import ClauseBroken, Expectation
from regstack.testing.model.agreement import agree, differences, spoil
from regstack.testing.model.program import Move, Notation, Step

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.contest import Call, Outcome
    from regstack.testing.memory.backend import MemoryBackend

_NUMBERED = re.compile(r"^([A-Z]{3}-\d\d)  ", re.MULTILINE)


class Twin:
    """Makes every call on a backend and on the reference, and demands that the answers agree.

    Args:
        runner: runs the event loop on which the backend lives.
        backend: what is tested.
        reference: what is right.
        clock: the clock of both.
        symbols: what ids and hashes are called in a failure.
        seed: with which the program was drawn.

    Attributes:
        reference: as given; to be looked into, not to be changed.
        clock: as given.
        symbols: as given.
        start: where the clock stood at first.
        program: the steps so far.
        broken: an answer did not agree; nothing after it means anything.
    """

    def __init__(
        self,
        runner: asyncio.Runner,
        backend: Backend,
        reference: MemoryBackend,
        clock: FrozenClock,
        *,
        symbols: Mapping[str, str],
        seed: int,
    ) -> None:
        self.reference = reference
        self.clock = clock
        self.program: list[Step] = []
        self.broken = False
        self._runner = runner
        self._backend = backend
        self.symbols = symbols
        self.start = clock.now()
        self._notation = Notation(self.start, symbols)
        self._seed = seed
        self._stored: Counter[str] = Counter()

    def move(self, delta: timedelta) -> None:
        """Move the clock of both."""
        self.clock.advance(delta)
        self.program.append(Move(delta))

    def call(self, call: Call) -> Outcome:
        """Make a call on both; give the reference's answer.

        Raises:
            ClauseBroken: the backend's is another one.
        """
        return self._runner.run(self._on_both(call))

    def look(self, calls: Iterable[Call]) -> None:
        """Make calls on both, one after the other.

        Raises:
            ClauseBroken: the backend's answer to one of them is another one.
        """

        async def each() -> None:
            for call in calls:
                await self._on_both(call)

        self._runner.run(each())

    def take(self, steps: Iterable[Step]) -> None:
        """Take the steps of a program.

        Raises:
            ClauseBroken: the backend's answer to one of them is another one.
        """
        for step in steps:
            if isinstance(step, Move):
                self.move(step.delta)
            else:
                self.call(step)

    async def aclose(self) -> None:
        """Close the backend."""
        await self._backend.aclose()

    async def _on_both(self, call: Call) -> Outcome:
        self.program.append(call)
        wanted = await call.make(self.reference)
        try:
            # The backend gets values of its own, and its answer is spoilt: what they share, shows.
            came = await deepcopy(call).make(self._backend)
        except Exception as error:
            escaped = f"{type(error).__module__}.{type(error).__qualname__}"
            raise self._disagreement(call, escaped, wanted, clauses=("COM-04",)) from error
        repository = call.operation.partition(".")[0]
        self._stored[repository] += 1
        if not agree(call, came, wanted, stored=self._stored[repository]):
            cause = ", ".join(differences(came.value, wanted.value))
            raise self._disagreement(
                call, self._notation.outcome(came), wanted, cause=f"differs in {cause}" if cause else ""
            )
        spoil(came.value)
        return wanted

    def _disagreement(
        self, call: Call, came: str, wanted: Outcome, *, clauses: tuple[str, ...] = (), cause: str = ""
    ) -> ClauseBroken:
        self.broken = True
        names = clauses or clauses_of(call.operation)
        lines = [f"{at:4}  {self._notation.step(step)}" for at, step in enumerate(self.program, 1)]
        expectation = Expectation(
            [catalogue().get(name, Clause(name, "")) for name in names], str(self._backend.kind), self._seed
        )
        text = expectation.explain(
            did="this program, T being the clock's time at its start\n" + "\n".join(lines),
            came=f"{came}, for the last call",
            wanted=self._notation.outcome(wanted),
            cause=cause,
        )
        return ClauseBroken(text, clauses=names)


@cache
def clauses_of(operation: str) -> tuple[str, ...]:
    """Give the clauses that describe an operation, `users.create` for example."""
    if operation in catalogue():
        return (operation,)
    repository, _, name = operation.partition(".")
    doc = inspect.getdoc(getattr(REPOSITORIES[repository], name)) or ""
    return tuple(_NUMBERED.findall(doc)) or ("COM-07",)


def operations(*repositories: str) -> list[str]:
    """Name every operation of some repositories, `users.create` for example; without any, of all."""
    return [
        f"{repository}.{name}"
        for repository, protocol in REPOSITORIES.items()
        if not repositories or repository in repositories
        for name, _ in inspect.getmembers(protocol, inspect.isfunction)
        if not name.startswith("_")
    ]
