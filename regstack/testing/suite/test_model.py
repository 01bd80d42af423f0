"""Random programs, checked against the reference backend."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from regstack.backends.base import Capability
from regstack.testing.clauses import catalogue
from regstack.testing.model.machine import Explorer
from regstack.testing.model.twin import clauses_of, operations
from regstack.testing.plugin import MANIFEST, NotDeclared

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.testing.harness import Harness

STEPS = 110
"""Of one program."""

PROGRAMS, THOROUGH_PROGRAMS = 6, 300

COMMON = ("COM-01", "COM-02", "COM-03", "COM-04", "COM-05", "COM-06", "COM-07", "COM-08", "COM-10", "COM-11")
"""Of COM-08 what serial calls show, of COM-10 the repeat."""


REQUIRED = frozenset({"users", "pending", "blacklist", "attempts"})
OAUTH = frozenset({"oauth_identities", "oauth_states"})


def _checks(*words: str) -> pytest.MarkDecorator:
    """Give the mark of all clauses and operations that begin with one of the words."""
    described = [name for each in operations(*words) for name in clauses_of(each)]
    numbered = [name for name in catalogue() if name.partition("-")[0] in words]
    return pytest.mark.clause(*dict.fromkeys([*COMMON, *numbered, *described]))


@pytest.mark.parametrize(
    ("repositories", "needed"),
    [
        pytest.param(REQUIRED, None, marks=_checks("USR", "PEN", "BLK", "ATT", *REQUIRED), id="accounts"),
        pytest.param({"mfa_codes"}, Capability.MFA_CODES, marks=_checks("MFA", "mfa_codes"), id="codes"),
        pytest.param(OAUTH, Capability.OAUTH, marks=_checks("OID", "OST", *OAUTH), id="oauth"),
    ],
)
def test_every_program_is_answered_as_the_reference_answers_it(
    repositories: frozenset[str],
    needed: Capability | None,
    request: pytest.FixtureRequest,
    harness: Harness,
    clock: FrozenClock,
    seed: int,
) -> None:
    if settings().derandomize and request.config.getoption("--regstack-seed") is None:
        seed = 0
    manifest = request.config.stash[MANIFEST]
    manifest.known_failures = harness.known_failures
    with asyncio.Runner() as runner:
        backend = runner.run(harness.open(clock))
        manifest.backend, manifest.capabilities = backend.kind, tuple(sorted(backend.capabilities))
        runner.run(backend.aclose())
        if needed is not None and needed not in manifest.capabilities:
            raise NotDeclared(f"{needed} is not declared")
        Explorer(harness, clock.now(), runner, seed).explore(
            repositories | {"users"},
            programs=THOROUGH_PROGRAMS if request.config.getoption("--regstack-thorough") else PROGRAMS,
            steps=STEPS,
        )
