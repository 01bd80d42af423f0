"""Revoked tokens (BLK-01)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from regstack.testing.contest import call

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = pytest.mark.anyio
clause = pytest.mark.clause

HOUR = timedelta(hours=1)


@clause("BLK-01", "COM-10", "blacklist.is_revoked")
async def test_a_token_is_revoked_once(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    jti, other = make.id(), make.id()
    expect(await backend.blacklist.is_revoked(jti), False, did="asked before it was revoked")
    expect(await backend.blacklist.revoke(jti, clock.now() + HOUR), True, did="revoked it")
    expect(await backend.blacklist.revoke(jti, clock.now() + HOUR), False, did="revoked it again")
    expect(await backend.blacklist.is_revoked(jti), True, did="asked for it")
    expect(await backend.blacklist.is_revoked(other), False, did="asked for another one")


@clause("BLK-01", "COM-08", "COM-04")
async def test_of_many_revocations_at_once_one_is_the_first(
    contest: Contest, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        jti = make.id()
        outcomes = await contest.repeat(call("blacklist.revoke", jti, clock.now() + HOUR))
        expect(
            outcomes.tally(),
            {"True": 1, "False": contest.size - 1},
            did=f"revoked one token {contest.size} times at once",
            cause="the row is looked for before it is inserted; the unique key must decide",
        )
        expect(await backend.blacklist.is_revoked(jti), True, did="asked for it afterwards")


@clause("blacklist.is_revoked")
async def test_a_sweep_between_does_not_bring_a_live_token_back(
    backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    jti = make.id()
    await backend.blacklist.revoke(jti, clock.now() + HOUR)
    await backend.blacklist.purge_expired(clock.now(), grace=timedelta())
    expect(await backend.blacklist.is_revoked(jti), True, did="asked for a revoked token after a sweep")
