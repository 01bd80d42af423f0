"""Rows that expire: what is seen, what can be used, and what is swept (COM-01, COM-06, COM-07)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from regstack.backends.base import Capability
from regstack.backends.protocols import PURGE_GRACE
from regstack.testing.contest import call
from regstack.testing.rows import (
    AttemptWindows,
    Codes,
    ConfirmedRows,
    Expiring,
    PendingRows,
    Results,
    Revocations,
    RotatedRows,
    States,
)

if TYPE_CHECKING:
    from regstack.auth.clock import FrozenClock
    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation
    from regstack.testing.fixtures import Database

pytestmark = pytest.mark.anyio
clause, needs = pytest.mark.clause, pytest.mark.needs

MILLISECOND = timedelta(milliseconds=1)
_MFA, _OAUTH = needs(Capability.MFA_CODES), needs(Capability.OAUTH)


def _kinds(*kinds: type[Expiring]) -> list[object]:
    marks = {"mfa_codes": [_MFA], "oauth_states": [_OAUTH]}
    return [pytest.param(kind(), id=kind.__name__, marks=marks.get(kind.repository, [])) for kind in kinds]


STORED = _kinds(PendingRows, Revocations, AttemptWindows, Codes, States)
USED = _kinds(PendingRows, ConfirmedRows, RotatedRows, Codes, States, Results)

FAR = datetime(2100, 2, 28, 23, 59, 59, 999_000, tzinfo=UTC)
"""2100 is no leap year, and beyond what 32 bits of seconds can hold."""


@clause("COM-06", "COM-01")
@pytest.mark.parametrize("kind", STORED)
async def test_a_row_is_seen_until_the_instant_of_its_expiry_and_not_from_then_on(
    kind: Expiring, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    expiry = clock.now() + timedelta(minutes=10)
    row = await kind.store(backend, make, expiry)
    for distance, visible in ((-MILLISECOND, True), (timedelta(), False), (MILLISECOND, False)):
        clock.advance(expiry + distance - clock.now())
        for read, seen in (await kind.sightings(backend, row)).items():
            expect(
                seen,
                visible,
                did=f"{read} {distance / MILLISECOND:+.0f} ms from the expiry",
                cause="`<` where `<=` belongs, or a clock of its own",
            )


@clause("COM-06", "COM-01")
@pytest.mark.parametrize("kind", STORED)
async def test_a_row_is_seen_again_when_the_clock_goes_back(
    kind: Expiring, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    row = await kind.store(backend, make, clock.now() + timedelta(minutes=10))
    clock.advance(timedelta(hours=2))
    await kind.sightings(backend, row)
    clock.advance(timedelta(hours=-2))
    for read, seen in (await kind.sightings(backend, row)).items():
        expect(
            seen,
            True,
            did=f"{read} after the clock went two hours on and back again",
            cause="a read that deletes, a cached answer, or the wall clock",
        )


@clause("COM-06", "COM-02")
@pytest.mark.parametrize("kind", STORED)
async def test_expiry_is_exact_in_the_year_2100(
    kind: Expiring, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    row = await kind.store(backend, make, FAR)
    clock.advance(FAR - MILLISECOND - clock.now())
    for read, seen in (await kind.sightings(backend, row)).items():
        expect(seen, True, did=f"{read} one millisecond before {FAR}", cause="time kept as 32 bits or float")
    clock.advance(MILLISECOND)
    for read, seen in (await kind.sightings(backend, row)).items():
        expect(seen, False, did=f"{read} at {FAR}", cause="time kept as 32 bits or float")


@clause("COM-06")
@pytest.mark.parametrize("milliseconds", [-1, 0, 1])
@pytest.mark.parametrize("kind", USED)
async def test_a_row_can_be_used_until_the_instant_of_its_expiry_and_not_from_then_on(
    kind: Expiring,
    milliseconds: int,
    backend: Backend,
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    expiry = clock.now() + timedelta(minutes=10)
    row = await kind.store(backend, make, expiry)
    expect(
        await kind.use(backend, row, expiry + milliseconds * MILLISECOND),
        milliseconds < 0,
        did=f"{type(kind).__name__}: used {milliseconds:+d} ms from the expiry",
        cause="`<` where `<=` belongs, or expiry is not part of the statement that uses the row up",
    )


@clause("COM-06", "COM-01")
@pytest.mark.parametrize("kind", USED)
async def test_an_operation_that_takes_now_decides_by_it_and_not_by_the_clock(
    kind: Expiring, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    expiry = clock.now() + timedelta(minutes=10)
    row = await kind.store(backend, make, expiry)
    clock.advance(timedelta(hours=3))
    expect(
        await kind.use(backend, row, expiry - MILLISECOND),
        True,
        did=f"{type(kind).__name__}: used with a `now` before the expiry, the clock being past it",
        cause="the operation asks the clock although it was told the time",
    )


@clause("COM-07")
@pytest.mark.parametrize("kind", STORED)
async def test_the_sweep_takes_what_expired_a_grace_ago_and_nothing_else(
    kind: Expiring, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    now = clock.now()
    repository = getattr(backend, kind.repository)
    for age in (PURGE_GRACE + MILLISECOND, PURGE_GRACE, PURGE_GRACE - MILLISECOND, timedelta()):
        await kind.store(backend, make, now - age)
    alive = await kind.store(backend, make, now + MILLISECOND)
    expect(
        await repository.purge_expired(now),
        2,
        did="swept five rows, of which two expired an hour ago or longer",
        cause="the grace is left out, or rows at its very edge stay",
    )
    expect(
        await repository.purge_expired(now, grace=timedelta()),
        2,
        did="swept what was left without grace: one row just within the hour, one that expires now",
        cause="the first sweep took rows within the grace",
    )
    for read, seen in (await kind.sightings(backend, alive)).items():
        expect(
            seen, True, did=f"{read} of a row that is alive, after the sweeps", cause="live rows are swept"
        )


@clause("COM-07")
@pytest.mark.parametrize("batch", [1, 3, 4])
@pytest.mark.parametrize("kind", STORED)
async def test_the_sweep_goes_on_until_nothing_is_left_and_counts_all_batches(
    kind: Expiring, batch: int, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    now = clock.now()
    repository = getattr(backend, kind.repository)
    for _ in range(6):
        await kind.store(backend, make, now - timedelta(days=1))
    expect(
        await repository.purge_expired(now, batch=batch),
        6,
        did=f"swept six rows in batches of {batch}",
        cause="only the first batch is deleted, or only the last is counted",
    )
    expect(await repository.purge_expired(now, batch=batch), 0, did="swept again")


@clause("COM-07", "COM-08")
@pytest.mark.parametrize("kind", STORED)
async def test_sweeps_at_the_same_time_count_each_row_once(
    kind: Expiring,
    contest: Contest,
    backend: Backend,
    clock: FrozenClock,
    make: Builder,
    expect: Expectation,
) -> None:
    now = clock.now()
    for _ in range(24):
        await kind.store(backend, make, now - timedelta(days=1))
    sweeps = [call(f"{kind.repository}.purge_expired", now, batch=5)] * 6
    outcomes = await contest.run(sweeps)
    expect(
        sum(outcomes.values()),
        24,
        did=f"six sweeps at once over 24 rows; they said {outcomes.values()}",
        cause="rows are counted before they are deleted",
    )


@clause("COM-07")
async def test_the_sweep_of_a_whole_backend_covers_every_repository_it_has(
    database: Database, backend: Backend, clock: FrozenClock, make: Builder, expect: Expectation
) -> None:
    kinds: list[Expiring] = [PendingRows(), Revocations(), AttemptWindows()]
    if Capability.MFA_CODES in backend.capabilities:
        kinds.append(Codes())
    if Capability.OAUTH in backend.capabilities:
        kinds.append(States())
    for kind in kinds:
        await kind.store(backend, make, clock.now() - timedelta(days=1))
    expect(
        await backend.purge_expired(clock.now()),
        {kind.repository: 1 for kind in kinds},
        did="swept the backend, with one expired row in each repository",
    )
