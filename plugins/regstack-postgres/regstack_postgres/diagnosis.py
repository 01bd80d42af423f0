"""What a server tells of itself, and what to do about it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.backends.protocols import PURGE_GRACE
from regstack.models.finding import Finding, Health

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from regstack.auth.clock import Clock
    from regstack_postgres.executor import PostgresExecutor

OLDEST_VERSION = 12
_SKEW_TO_KNOW = timedelta(seconds=1)
_SAMPLES = 3
_FULL = 0.8


async def diagnose(db: PostgresExecutor, clock: Clock) -> tuple[Finding, ...]:
    """Ask the server about everything that an operator should know.

    Raises:
        BackendError: it cannot be asked.
    """
    questions: tuple[Callable[[], Awaitable[Finding]], ...] = (
        lambda: _version(db),
        lambda: _role(db),
        lambda: _encoding(db),
        lambda: _skew(db, clock),
        lambda: _durability(db),
        lambda: _replication(db),
        lambda: _connections(db),
    )
    return tuple([await question() for question in questions])


async def _version(db: PostgresExecutor) -> Finding:
    name = "server version"
    number, text = await db.ask(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    )
    if number // 10000 >= OLDEST_VERSION:
        return Finding(name, Health.OK, f"PostgreSQL {text}")
    return Finding(
        name,
        Health.FAILED,
        f"PostgreSQL {text} is older than {OLDEST_VERSION}",
        "Upgrade the server to a version that still gets security fixes.",
    )


async def _role(db: PostgresExecutor) -> Finding:
    name = "server role"
    standby, read_only = await db.ask(
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean"
    )
    if not standby and not read_only:
        return Finding(name, Health.OK, "primary, takes writes")
    return Finding(
        name,
        Health.FAILED,
        "a standby" if standby else "read-only (default_transaction_read_only)",
        "Let database_url name the primary, or all servers with commas between them; "
        "an engine of the host's needs target_session_attrs=read-write.",
    )


async def _encoding(db: PostgresExecutor) -> Finding:
    name = "database encoding"
    (encoding,) = await db.ask("SELECT current_setting('server_encoding')")
    if encoding == "UTF8":
        return Finding(name, Health.OK, "UTF8")
    return Finding(
        name,
        Health.FAILED,
        f"{encoding}, which cannot hold every name",
        "Create a database with ENCODING 'UTF8' and move the data there with pg_dump.",
    )


async def _skew(db: PostgresExecutor, clock: Clock) -> Finding:
    """Compare clocks; of several answers the quickest tells most."""
    name = "clock"
    samples = []
    for _ in range(_SAMPLES):
        ours, start = clock.now(), time.perf_counter()
        (theirs,) = await db.ask("SELECT clock_timestamp()")
        took = timedelta(seconds=time.perf_counter() - start)
        samples.append((took, theirs - ours - took / 2))
    _, ahead = min(samples)
    told = f"the server's clock is {abs(ahead).total_seconds():.3f} s " + (
        "ahead" if ahead > timedelta() else "behind"
    )
    if abs(ahead) <= _SKEW_TO_KNOW:
        return Finding(name, Health.OK, told)
    return Finding(
        name,
        Health.FAILED if abs(ahead) >= PURGE_GRACE else Health.WARNING,
        told,
        "Synchronise the clocks of the application's machines and of the server (NTP): "
        "what one worker counts as expired must be expired for all.",
    )


async def _durability(db: PostgresExecutor) -> Finding:
    name = "durability"
    commit, fsync = await db.ask("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
    if fsync == "on" and commit != "off":
        return Finding(name, Health.OK, f"fsync on, synchronous_commit {commit}")
    return Finding(
        name,
        Health.WARNING,
        f"fsync {fsync}, synchronous_commit {commit}: a crash may bring revoked tokens back",
        "Set fsync = on and synchronous_commit = on at the server, or for this database.",
    )


async def _replication(db: PostgresExecutor) -> Finding:
    name = "replication"
    names, commit, standbys, synchronous, lag = await db.ask(
        "SELECT current_setting('synchronous_standby_names'), current_setting('synchronous_commit'),"
        " count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')),"
        " extract(epoch FROM max(replay_lag))::float8 FROM pg_stat_replication"
    )
    told = f"{standbys} standbys, {synchronous} of them synchronous" + (
        f", at most {lag:.1f} s behind" if lag is not None else ""
    )
    if standbys == 0 and not names:
        return Finding(name, Health.OK, "no standbys are connected")
    if names and standbys == 0:
        return Finding(
            name,
            Health.FAILED,
            "synchronous_standby_names is set, and no standby is connected: every write waits for one",
            "Start the standbys, or empty synchronous_standby_names at the primary.",
        )
    if names and commit in {"on", "remote_apply", "remote_write"}:
        return Finding(name, Health.OK, told)
    return Finding(
        name,
        Health.WARNING,
        f"{told}: at a fail-over, writes that were acknowledged may be lost, "
        "and a token that was revoked may be valid again",
        "Set synchronous_standby_names at the primary, for example 'ANY 1 (*)', and synchronous_commit = on.",
    )


async def _connections(db: PostgresExecutor) -> Finding:
    name = "connections"
    most, reserved, used = await db.ask(
        "SELECT current_setting('max_connections')::int,"
        " current_setting('superuser_reserved_connections')::int,"
        " (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database)"
    )
    use, room = db.use, most - reserved
    if use is None:
        told, workers = "an engine of the host's", None
    else:
        told = f"this process has {use.open} of {use.most}, {use.idle} idle"
        workers = room // use.most
    told += f"; the server has {used} of {room}"
    if workers is not None:
        told += f", which is enough for {workers} workers with db_pool_size {use.most if use else 0}"
    if used < room * _FULL and workers != 0:
        return Finding(name, Health.OK, told)
    return Finding(
        name,
        Health.WARNING,
        told,
        "Lower db_pool_size or the number of workers, raise max_connections at the server, "
        "or put PgBouncer before it.",
    )
