"""What `regstack doctor` hears of a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock, SystemClock
from regstack.errors import BackendTimeout, BackendUnavailable
from regstack.models.finding import Health
from tests.servers.mongo import MongoReplicaSet, MongoServer

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 60


async def diagnosed(backend: Any) -> dict[str, Any]:
    findings = await backend.diagnose()
    for finding in findings:
        assert (finding.status is Health.OK) == (finding.next_step == "")
    return {finding.name: finding for finding in findings}


async def test_a_single_server_is_fine_but_has_no_copy(standalone: MongoServer, open_backend: Any) -> None:
    found = await diagnosed(open_backend(standalone.url, at=SystemClock()))
    statuses = {name: finding.status.value for name, finding in found.items()}
    assert statuses == {
        "server role": "ok",
        "server clock": "ok",
        "durability": "warning",
        "connection pool": "ok",
    }
    assert "no copy" in found["durability"].detail


async def test_a_primary_is_one(mongo_url: str, open_backend: Any) -> None:
    found = await diagnosed(open_backend(mongo_url, at=SystemClock(), db_pool_size=9))
    assert "primary of the replica set 'rs0'" in found["server role"].detail
    assert found["replica set"].status is Health.OK
    assert "9" in found["connection pool"].detail


@pytest.mark.parametrize(
    ("skew", "status"),
    [
        (timedelta(seconds=20), Health.WARNING),
        (timedelta(seconds=-20), Health.WARNING),
        (timedelta(hours=2), Health.FAILED),
    ],
)
async def test_clocks_that_differ_are_told(
    skew: timedelta, status: Health, standalone: MongoServer, open_backend: Any
) -> None:
    clock = FrozenClock(SystemClock().now() + skew)
    found = await diagnosed(open_backend(standalone.url, at=clock))
    assert found["server clock"].status is status


async def test_a_member_that_is_down_and_a_set_without_a_primary_are_told(open_backend: Any) -> None:
    with MongoReplicaSet(3) as servers:
        primary = servers.primary()
        victim = next(server for server in servers.servers if server is not primary)
        victim.kill()
        backend = open_backend(servers.url, db_connect_timeout_seconds=3)

        def one_is_down(found: dict[str, Any]) -> bool:
            members, role = found["replica set"], found["server role"]
            told = members.detail.endswith(f"1 of 3 members are down or not ready: {victim.address}")
            return told and members.status is Health.WARNING and role.status is Health.OK

        await until(one_is_down, backend)
        servers.primary().kill()
        await until(lambda found: found["server role"].status is Health.FAILED, backend)


async def until(holds: Callable[[dict[str, Any]], bool], backend: Any) -> None:
    """Diagnose until a state is told; a member that is lost may bring elections, which pass."""
    found = None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while found is None or not holds(found):
        assert time.monotonic() < deadline, found
        with suppress(BackendUnavailable, BackendTimeout):
            found = await diagnosed(backend)
