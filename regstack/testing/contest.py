"""Simultaneous calls: on several instances in one process, or in several processes."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from regstack.errors import RegStackError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from random import Random

    from regstack.backends.base import Backend
    from regstack.testing.processes import Fleet


DEADLINE_SECONDS = 120
"""After which calls at once are taken to wait for each other for ever."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a repository, which can be sent to another process.

    Attributes:
        operation: `repository.operation`, for example `blacklist.revoke`.
        args: positional arguments.
        kwargs: keyword arguments.
    """

    operation: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def send(self, backend: Backend) -> Coroutine[Any, Any, Any]:
        """Call it on a backend; every error escapes."""
        repository, _, operation = self.operation.partition(".")
        sent: Coroutine[Any, Any, Any] = getattr(getattr(backend, repository), operation)(
            *self.args, **self.kwargs
        )
        return sent

    async def make(self, backend: Backend) -> Outcome:
        """Call it on a backend; errors of regstack are outcomes, others escape."""
        try:
            return Outcome(value=await self.send(backend))
        except RegStackError as error:
            # Without cause and traceback it can be sent to another process.
            return Outcome(error=type(error))


def call(operation: str, *args: Any, **kwargs: Any) -> Call:
    """Write a call as it would be made."""
    return Call(operation, args, kwargs)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call came to: a value, or an error of regstack."""

    value: Any = None
    error: type[RegStackError] | None = None

    @property
    def name(self) -> str:
        """The error's name, `None`, `True`, `False`, or the type of the value."""
        if self.error is not None:
            return self.error.__name__
        return (
            str(self.value)
            if self.value is None or isinstance(self.value, bool)
            else type(self.value).__name__
        )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What simultaneous calls came to."""

    all: Sequence[Outcome]

    def tally(self) -> dict[str, int]:
        """Count the outcomes by name."""
        return dict(Counter(outcome.name for outcome in self.all))

    def values(self) -> list[Any]:
        """Give the values of the calls that answered something."""
        return [outcome.value for outcome in self.all if outcome.error is None and outcome.value is not None]


async def make_at_once(
    calls: Sequence[Call], backends: Sequence[Backend], delays: Sequence[int]
) -> list[Outcome]:
    """Make all calls, started together, in turns on the backends.

    Args:
        calls: what to call.
        backends: instances over one namespace, connected already.
        delays: for each call, how many turns of the event loop it lets pass first.

    Raises:
        TimeoutError: they do not end.
    """
    start = asyncio.Event()

    async def make(call: Call, backend: Backend, delay: int) -> Outcome:
        await start.wait()
        for _ in range(delay):
            await asyncio.sleep(0)
        return await call.make(backend)

    tasks = [
        asyncio.create_task(make(call, backends[number % len(backends)], delay))
        for number, (call, delay) in enumerate(zip(calls, delays, strict=True))
    ]
    await asyncio.sleep(0)
    start.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, Outcome)]


class Contest:
    """Makes calls at once, in an order drawn from the seed.

    Args:
        rng: draws the order.
        rounds: how often a test should repeat its contest.
        backends: instances in this process.
        fleet: other processes, used in place of `backends` where given.

    Attributes:
        rounds: as given.
    """

    size = 32
    """Calls of one contest."""

    def __init__(
        self, rng: Random, rounds: int, backends: Sequence[Backend], fleet: Fleet | None = None
    ) -> None:
        self.rounds = rounds
        self._rng = rng
        self._backends = backends
        self._fleet = fleet

    async def run(self, calls: Sequence[Call]) -> Outcomes:
        """Make the calls at once and give their outcomes, in the order of the calls."""
        order = self._rng.sample(range(len(calls)), len(calls))
        shuffled = [calls[index] for index in order]
        delays = [self._rng.randrange(3) for _ in calls]
        if self._fleet is not None:
            made = await self._fleet.make_at_once(shuffled, delays)
        else:
            made = await make_at_once(shuffled, self._backends, delays)
        by_index = dict(zip(order, made, strict=True))
        return Outcomes([by_index[index] for index in range(len(calls))])

    async def repeat(self, one: Call) -> Outcomes:
        """Make the same call `size` times at once."""
        return await self.run([one] * self.size)
