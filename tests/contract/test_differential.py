"""The same program gives the same transcript on every shipped backend, answer by answer."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Iterator

import pytest

from regstack.auth.clock import FrozenClock
from regstack.backends.base import Capability
from regstack.testing.clauses import REPOSITORIES
from regstack.testing.contest import Outcome
from regstack.testing.fixtures import START
from regstack.testing.harness import Harness
from regstack.testing.memory.harness import MemoryHarness
from regstack.testing.model.agreement import agree
from regstack.testing.model.machine import Explorer
from regstack.testing.model.program import Move, Notation, Step, replay
from regstack.testing.model.twin import Twin
from tests.contract import harnesses

SEED = 20310504
EPISODES, STEPS = 6, 110
FEWEST_CALLS = 500

NEEDED = {
    "mfa_codes": Capability.MFA_CODES,
    "oauth_identities": Capability.OAUTH,
    "oauth_states": Capability.OAUTH,
}

SHIPPED = [
    each
    for each in vars(harnesses).values()
    if inspect.isclass(each) and issubclass(each, Harness) and each.__module__ == harnesses.__name__
]


@pytest.fixture(scope="module")
def episodes() -> list[Twin]:
    """Draw programs on two reference backends, which agree, and keep them."""
    episodes: list[Twin] = []
    with asyncio.Runner() as runner:
        explorer = Explorer(MemoryHarness(), START, runner, SEED, episodes.append)
        explorer.explore(frozenset(REPOSITORIES), programs=EPISODES, steps=STEPS)
    assert sum(not isinstance(step, Move) for twin in episodes for step in twin.program) >= FEWEST_CALLS
    return episodes


@pytest.fixture(params=[MemoryHarness, *SHIPPED], ids=lambda harness: harness.__name__)
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    made = request.param()
    yield made
    made.close()


async def transcript(
    harness: Harness, steps: list[Step], lacking: set[str] | None = None
) -> tuple[list[Step], list[Outcome]]:
    """Take the steps, without those for what the backend does not declare, in a fresh namespace."""
    clock = FrozenClock(START)
    await harness.fresh(clock)
    backend = await harness.open(clock)
    if lacking is None:
        lacking = {name for name, needed in NEEDED.items() if needed not in backend.capabilities}
    possible = [
        step for step in steps if isinstance(step, Move) or step.operation.partition(".")[0] not in lacking
    ]
    try:
        return possible, await replay(possible, backend, clock)
    finally:
        await backend.aclose()


def test_every_backend_gives_the_transcript_of_the_reference(harness: Harness, episodes: list[Twin]) -> None:
    differences = []
    with asyncio.Runner() as runner:
        for number, twin in enumerate(episodes):
            steps, came = runner.run(transcript(harness, twin.program))
            _, wanted = runner.run(transcript(MemoryHarness(), steps, lacking=set()))
            calls = [step for step in steps if not isinstance(step, Move)]
            assert len(came) == len(wanted) == len(calls)
            notation = Notation(START, twin.symbols)
            stored: Counter[str] = Counter()
            for at, (call, one, other) in enumerate(zip(calls, came, wanted, strict=True)):
                repository = call.operation.partition(".")[0]
                stored[repository] += 1
                if not agree(call, one, other, stored=stored[repository]):
                    differences.append(
                        f"episode {number}, call {at}: {notation.step(call)}\n"
                        f"  came:   {notation.outcome(one)}\n  wanted: {notation.outcome(other)}"
                    )
    assert not differences, "\n".join(differences[:5])


def test_a_transcript_that_differs_in_one_answer_is_told_apart(episodes: list[Twin]) -> None:
    with asyncio.Runner() as runner:
        for twin in episodes:
            steps, came = runner.run(transcript(MemoryHarness(), twin.program))
            calls = [step for step in steps if not isinstance(step, Move)]
            for call, outcome in zip(calls, came, strict=True):
                assert agree(call, outcome, outcome, stored=len(calls))
                assert not agree(call, Outcome(value="something else"), outcome, stored=len(calls))
