"""The state machine: programs that Hypothesis draws, and shortens where they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.testing.expectation import ClauseBroken
from regstack.testing.memory.backend import MemoryBackend
from regstack.testing.model.code_rules import CodeRules
from regstack.testing.model.counter_rules import CounterRules
from regstack.testing.model.credential_rules import CredentialRules
from regstack.testing.model.names import Names
from regstack.testing.model.oauth_rules import OAuthRules
from regstack.testing.model.pending_rules import PendingRules
from regstack.testing.model.shortening import shorten
from regstack.testing.model.twin import Twin
from regstack.testing.model.user_rules import UserRules
from regstack.testing.model.view import last_uses, sightings

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from regstack.backends.base import Backend
    from regstack.testing.harness import Harness
    from regstack.testing.model.program import Step


_KINSHIP = 20
"""Programs of one run of Hypothesis, whose later programs take after its earlier ones."""


class Model(UserRules, CredentialRules, PendingRules, CounterRules, CodeRules, OAuthRules):
    """Every rule; at the end of a program, all that can be seen or used is compared.

    Args:
        twin: backend and reference.
        names: makes ids and hashes.
        repositories: the attributes of the backend that the program uses.
        close: is called at the end of the program.
    """

    def __init__(
        self, twin: Twin, names: Names, repositories: frozenset[str], close: Callable[[Twin], None]
    ) -> None:
        super().__init__(twin, names, repositories)
        self._close = close

    def teardown(self) -> None:
        """Look at everything, then use up what can be used, unless an answer was wrong already."""
        try:
            if not self.twin.broken:
                self.twin.look([*sightings(self.twin, self.names, self.repositories)])
                self.twin.look([*last_uses(self.twin, self.names, self.repositories)])
        finally:
            self._close(self.twin)


class Explorer:
    """Tries programs on one kind of backend.

    Args:
        harness: opens it.
        start: where the clock of each program stands at first.
        runner: runs the event loop on which backends live.
        seed: draws the programs.
        ended: is given the twin of each program at its end.
    """

    def __init__(
        self,
        harness: Harness,
        start: datetime,
        runner: asyncio.Runner,
        seed: int,
        ended: Callable[[Twin], None] = lambda twin: None,
    ) -> None:
        self._harness = harness
        self._start = start
        self._runner = runner
        self._seed = seed
        self._ended = ended
        self._failed: Twin | None = None

    def explore(
        self,
        repositories: frozenset[str],
        *,
        programs: int,
        steps: int,
    ) -> None:
        """Try programs until one fails or there were enough.

        Args:
            repositories: the attributes of the backend that the programs use.
            programs: how many.
            steps: how long each is.

        Raises:
            ClauseBroken: the shortest program found whose answers differ from the reference's.
        """

        def machine() -> Model:
            return self._machine(repositories)

        wanted = settings(
            max_examples=min(programs, _KINSHIP),
            stateful_step_count=steps,
            derandomize=False,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            # How long a program takes is the backend's affair, and a long one is what is asked for.
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        try:
            for number in range(-(-programs // _KINSHIP)):
                factory = seeded(f"{self._seed} {number}")(machine)
                run_state_machine_as_test(factory, settings=wanted)  # type: ignore[arg-type]
        except ClauseBroken as broken:
            if self._failed is None:
                raise
            shortest = shorten(self._failed.program, broken, self._attempt)
        else:
            return
        # The long program, and what Hypothesis noted on it, would only hide the short one.
        raise shortest from shortest.__cause__

    def _machine(self, repositories: frozenset[str]) -> Model:
        clock = FrozenClock(self._start)
        names = Names(clock)
        twin = self._twin(clock, names.symbols)
        try:
            return Model(twin, names, repositories, self._close)
        except BaseException:
            self._close(twin)
            raise

    def _attempt(self, steps: Sequence[Step]) -> tuple[Sequence[Step], ClauseBroken] | None:
        twin = self._twin(FrozenClock(self._start), self._failed.symbols if self._failed else {})
        try:
            twin.take(steps)
        except ClauseBroken as broken:
            return twin.program, broken
        finally:
            self._runner.run(twin.aclose())
        return None

    def _twin(self, clock: FrozenClock, symbols: Mapping[str, str]) -> Twin:
        reference = MemoryBackend(config=RegStackConfig(database_url="memory://"), clock=clock)
        backend = self._runner.run(self._opened(clock))
        return Twin(self._runner, backend, reference, clock, symbols=symbols, seed=self._seed)

    def _close(self, twin: Twin) -> None:
        self._runner.run(twin.aclose())
        if twin.broken:
            self._failed = twin
        self._ended(twin)

    async def _opened(self, clock: FrozenClock) -> Backend:
        await self._harness.fresh(clock)
        return await self._harness.open(clock)
