"""What `regstack doctor` tells of a MongoDB server."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pymongo.errors import OperationFailure

from regstack.models.finding import Finding, Health
from regstack_mongo.connection import ANY_SERVER

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack_mongo.connection import Connection

_CONCERN = "writes wait for a majority and its journals, reads see what a majority has"
_SKEW_WARNING = timedelta(seconds=1)
_SKEW_FAILURE = timedelta(hours=1)
_LAG_WARNING = timedelta(seconds=10)
_PRIMARY, _SECONDARY, _ARBITER = 1, 2, 7
_WELL = {_PRIMARY, _SECONDARY, _ARBITER}


async def diagnosed(connection: Connection, clock: Clock) -> tuple[Finding, ...]:
    """Look at role, clock, durability, members and pool; changes nothing."""
    admin = connection.client.admin
    await connection.greet()
    start = time.perf_counter()
    hello = await admin.command("hello", read_preference=ANY_SERVER)
    half = timedelta(seconds=(time.perf_counter() - start) / 2)
    findings = [
        _role(hello),
        _skew(hello["localTime"], clock.now() - half),
        _durability(hello),
        _pool(connection),
    ]
    if "setName" in hello:
        findings.append(await _members(admin))
    return tuple(findings)


def _role(hello: dict[str, Any]) -> Finding:
    if hello.get("isWritablePrimary"):
        if "setName" in hello:
            return Finding("server role", Health.OK, f"primary of the replica set {hello['setName']!r}")
        if hello.get("msg") == "isdbgrid":
            return Finding("server role", Health.OK, "mongos, the router of a sharded cluster")
        return Finding("server role", Health.OK, "a single server")
    role = "secondary" if hello.get("secondary") else "neither primary nor secondary"
    return Finding(
        "server role",
        Health.FAILED,
        f"the server takes no writes: {role}",
        "name the replica set in database_url (replicaSet=…), without directConnection, and look at "
        "rs.status() if it has no primary",
    )


def _skew(server: datetime, here: datetime) -> Finding:
    if server.tzinfo is None:
        server = server.replace(tzinfo=UTC)
    skew = abs(server - here)
    detail = f"the server's clock differs by {skew / timedelta(seconds=1):.1f} s"
    step = "synchronise the clocks of server and application (NTP)"
    if skew > _SKEW_FAILURE:
        return Finding("server clock", Health.FAILED, detail, step)
    if skew > _SKEW_WARNING:
        return Finding("server clock", Health.WARNING, detail, step)
    return Finding("server clock", Health.OK, detail)


def _durability(hello: dict[str, Any]) -> Finding:
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return Finding(
            "durability",
            Health.WARNING,
            f"{_CONCERN}; a single server has no copy, so what a lost disk held is lost",
            "run a replica set of three members in production",
        )
    members = len(hello.get("hosts", ()))
    if "setName" in hello and members < 3:
        return Finding(
            "durability",
            Health.WARNING,
            f"{_CONCERN}; the set has {members} member(s) with data, so writes stop when one is lost",
            "run a replica set of three members in production",
        )
    return Finding("durability", Health.OK, _CONCERN)


def _pool(connection: Connection) -> Finding:
    most = connection.client.options.pool_options.max_pool_size
    return Finding("connection pool", Health.OK, f"at most {most or 'any number of'} connections a process")


async def _members(admin: Any) -> Finding:
    try:
        status = await admin.command("replSetGetStatus", read_preference=ANY_SERVER)
    except OperationFailure:
        return Finding(
            "replica set",
            Health.WARNING,
            "the state of the members may not be read",
            "grant the role clusterMonitor to the user of database_url, or look at rs.status() yourself",
        )
    members = status["members"]
    down = [each["name"] for each in members if each.get("health") != 1 or each["state"] not in _WELL]
    if down:
        return Finding(
            "replica set",
            Health.WARNING,
            f"{len(down)} of {len(members)} members are down or not ready: {', '.join(down)}",
            "start them, or remove them with rs.remove()",
        )
    dates = [each["optimeDate"] for each in members if each["state"] in {_PRIMARY, _SECONDARY}]
    lag = max(dates) - min(dates)
    detail = f"{len(members)} member(s), all up; the slowest is {lag.total_seconds():.0f} s behind"
    if lag > _LAG_WARNING:
        return Finding("replica set", Health.WARNING, detail, "look at rs.printSecondaryReplicationInfo()")
    return Finding("replica set", Health.OK, detail)
