"""Expired rows go without anybody's timer: storage elects one worker an interval."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from regstack.services.sweeper import Sweeper

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


def sweeper_of(rs: Any, purge: Any = None) -> Sweeper:
    return Sweeper(purge or rs.backend.purge_expired, rs.attempts, rs.clock, seconds=3600)


async def test_of_two_workers_one_sweeps_and_what_is_live_stays(make_world: Any) -> None:
    worlds = [await make_world()]
    rs = worlds[0].rs
    if rs.backend.kind != "memory":
        worlds.append(await make_world())
    now = rs.clock.now()
    for number in range(3):
        await rs.blacklist.revoke(f"old {number}", now + HOUR / 60)
        await rs.attempts.record_failure(f"key {number}", window=HOUR / 60, now=now)
    await rs.blacklist.revoke("live", now + 48 * HOUR)
    reports: list[dict[str, int]] = []

    def counted(rs: Any) -> Any:
        async def purge(now: Any, *, grace: Any) -> Any:
            reports.append(await rs.backend.purge_expired(now, grace=grace))
            return reports[-1]

        return purge

    # A worker whose clock is hours ahead takes nothing that counts for the others.
    worlds[-1].clock.advance(12 * HOUR)
    assert await sweeper_of(worlds[-1].rs, purge=counted(worlds[-1].rs)).sweep()
    assert set(reports.pop().values()) == {0}
    worlds[-1].clock.advance(14 * HOUR)
    for world in worlds[:-1]:
        world.clock.advance(26 * HOUR)
    sweepers = [sweeper_of(world.rs, purge=counted(world.rs)) for world in worlds + worlds][:2]
    assert sorted(await asyncio.gather(*(each.sweep() for each in sweepers))) == [False, True]
    assert [(report["blacklist"], report["attempts"]) for report in reports] == [(3, 3)]
    assert not await rs.blacklist.revoke("live", now + 48 * HOUR)


async def test_a_worker_that_dies_while_it_sweeps_is_followed_by_another_one(make_world: Any) -> None:
    world = await make_world()

    async def die(_: Any, *, grace: Any) -> Any:
        raise SystemError("killed")

    with pytest.raises(SystemError):
        await sweeper_of(world.rs, purge=die).sweep()
    other = sweeper_of(world.rs)
    assert not await other.sweep()
    world.clock.advance(HOUR)
    assert await other.sweep()
