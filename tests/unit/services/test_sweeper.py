"""Expired rows go without anybody's timer, by one worker an interval."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from regstack.services.caller import Caller, Origin, current_caller
from regstack.services.sweeper import Sweeper

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


def sweeper_of(rs: Any, **changes: Any) -> Sweeper:
    return Sweeper(
        changes.pop("purge", rs.backend.purge_expired), rs.attempts, rs.clock, seconds=3600, **changes
    )


class Waits:
    """Waits that the test ends, one by one."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._begun, self._over = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._begun.release()
        await self._over.acquire()

    async def next(self) -> None:
        """Let the current wait be over, and everything happen until the next one."""
        self._over.release()
        await self.begun()

    async def begun(self) -> None:
        await asyncio.wait_for(self._begun.acquire(), 60)


@pytest.fixture
def database_url() -> str:
    """Where storage has no part."""
    return "memory://"


@pytest.fixture(name="rs")
async def memory(make_world: Any) -> Any:
    return (await make_world(purge_interval_seconds=0)).rs


async def test_sweeps_come_once_an_interval_and_never_all_at_once_or_with_the_start(rs: Any) -> None:
    waits, seconds = Waits(), []
    for _ in range(20):
        sweeper = sweeper_of(rs, wait=waits)
        sweeper.start()
        await waits.begun()
        await waits.next()
        await sweeper.aclose()
        seconds.append(tuple(waits.seconds[-2:]))
    firsts, nexts = zip(*seconds, strict=True)
    assert 180 <= min(firsts) < max(firsts) < 540
    assert 3600 <= min(nexts) < max(nexts) < 3960


async def test_a_sweep_that_fails_is_told_and_tried_again(rs: Any, caplog: pytest.LogCaptureFixture) -> None:
    waits, purged = Waits(), []

    async def purge(now: Any, *, grace: Any) -> dict[str, int]:
        purged.append(current_caller())
        rs.clock.advance(HOUR)
        if len(purged) == 1:
            raise ValueError("no such\r\ntable")
        return {"pending": 7, "attempts": 0}

    sweeper = sweeper_of(rs, purge=purge, wait=waits)
    with Caller(Origin), caplog.at_level("INFO", logger="regstack"):
        sweeper.start()
        sweeper.start()
        for _ in range(2):
            await waits.begun()
            waits._over.release()
        await waits.begun()
    assert purged == [None, None]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "ValueError: no such table" in caplog.text
    assert "7 of pending" in caplog.text
    await sweeper.aclose()
    await sweeper.aclose()


async def test_the_end_waits_for_no_sweep(rs: Any) -> None:
    waits, begun = Waits(), asyncio.Event()

    async def purge(now: Any, *, grace: Any) -> dict[str, int]:
        begun.set()
        return await asyncio.Future()

    sweeper = sweeper_of(rs, purge=purge, wait=waits)
    sweeper.start()
    await waits.begun()
    waits._over.release()
    await asyncio.wait_for(begun.wait(), 60)
    await asyncio.wait_for(sweeper.aclose(), 60)
    assert "regstack-sweeper" not in names_of_tasks()


async def test_an_application_sweeps_while_it_runs_unless_that_is_switched_off(make_world: Any) -> None:
    await make_world(purge_interval_seconds=0)
    assert "regstack-sweeper" not in names_of_tasks()
    world = await make_world()
    assert "regstack-sweeper" in names_of_tasks()
    await world.rs.aclose()
    assert "regstack-sweeper" not in names_of_tasks()


def names_of_tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}
