"""What an operator should know about the server."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.errors import BackendError
from regstack.models.finding import Finding, Health
from regstack.models.instant import from_milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regstack.auth.clock import Clock
    from regstack_redis_sample.server import Server

TOLERATED_SKEW = timedelta(seconds=1)


async def info(server: Server, *sections: str) -> Mapping[str, str]:
    """Ask the server about itself."""
    lines = (await server.read("INFO", *sections)).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


async def diagnose(server: Server, clock: Clock) -> tuple[Finding, ...]:
    """Look at the server's role, durability, eviction and clock."""
    found = await info(server)
    try:
        (_, fsync) = await server.read("CONFIG", "GET", "appendfsync")
    except (BackendError, ValueError):
        # Those who rent a server often must not ask.
        fsync = None
    seconds, microseconds = map(int, await server.read("TIME"))
    skew = clock.now() - from_milliseconds(seconds * 1000 + microseconds // 1000)
    return (
        _role(found),
        _durability(found.get("aof_enabled") == "1", fsync),
        _eviction(found.get("maxmemory_policy", "unknown")),
        _clock(skew),
    )


def _role(found: Mapping[str, str]) -> Finding:
    if found.get("cluster_enabled") == "1":
        return Finding("role", Health.FAILED, "member of a cluster", "use one primary: scripts need all keys")
    if found.get("role") != "master":
        return Finding("role", Health.FAILED, "replica", "let database_url name the primary")
    return Finding("role", Health.OK, "primary")


def _durability(appendonly: bool, fsync: str | None) -> Finding:
    name = "durability"
    if not appendonly:
        return Finding(
            name,
            Health.FAILED,
            "appendonly is off: a restart loses what was acknowledged",
            "CONFIG SET appendonly yes, and set appendfsync always; then CONFIG REWRITE",
        )
    if fsync is None:
        return Finding(
            name,
            Health.WARNING,
            "appendonly is on; appendfsync cannot be asked for",
            "make sure that it is `always`, or that the loss of a second is acceptable",
        )
    if fsync != "always":
        return Finding(
            name,
            Health.WARNING,
            f"appendfsync is {fsync}: a power cut may bring a revoked token back",
            "CONFIG SET appendfsync always, then CONFIG REWRITE",
        )
    return Finding(name, Health.OK, "appendonly with appendfsync always")


def _eviction(policy: str) -> Finding:
    if policy != "noeviction":
        return Finding(
            "eviction",
            Health.FAILED,
            f"maxmemory-policy is {policy}: a full server throws accounts away",
            "CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE",
        )
    return Finding("eviction", Health.OK, "maxmemory-policy is noeviction")


def _clock(skew: timedelta) -> Finding:
    detail = f"{abs(skew) / timedelta(milliseconds=1):.0f} ms apart from the server's"
    if abs(skew) > TOLERATED_SKEW:
        return Finding("clock", Health.WARNING, detail, "let NTP set the clocks of both machines")
    return Finding("clock", Health.OK, detail)
