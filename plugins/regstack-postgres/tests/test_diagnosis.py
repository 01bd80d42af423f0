"""What `regstack doctor` is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock
from regstack.models.finding import Finding, Health
from regstack_postgres.backend import PostgresBackend
from tests.servers.databases import PostgresDatabases
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.anyio

OpenBackend = Callable[..., PostgresBackend]
Ask = Callable[..., Awaitable[Any]]


async def found(backend: PostgresBackend) -> dict[str, Finding]:
    findings = await backend.diagnose()
    for finding in findings:
        assert bool(finding.next_step) == (finding.status is not Health.OK), finding
    return {finding.name: finding for finding in findings}


@pytest.fixture
def in_time(clock: FrozenClock, url: str) -> None:
    """Set the clock right, once the database is made, which takes its time."""
    clock.advance(datetime.now(UTC) - clock.now())


async def test_a_sound_server_is_all_right(
    server: PostgresServer, build: OpenBackend, clock: FrozenClock
) -> None:
    backend = build(database_url=server.url, db_pool_size=7)
    await backend.install_schema()
    clock.advance(datetime.now(UTC) - clock.now())
    findings = await found(backend)
    assert {
        name: finding.status for name, finding in findings.items() if finding.status is not Health.OK
    } == {}
    assert set(findings) == {
        "server version",
        "server role",
        "database encoding",
        "clock",
        "durability",
        "replication",
        "connections",
        "schema objects",
    }
    assert "1 of 7" in findings["connections"].detail
    assert "42 workers" in findings["connections"].detail  # (300 - 3) / 7


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize(
    ("ahead", "status"),
    [(timedelta(seconds=3), "warning"), (-timedelta(seconds=3), "warning"), (timedelta(hours=2), "failed")],
)
async def test_clocks_that_differ_are_told(
    backend: PostgresBackend, clock: FrozenClock, ahead: timedelta, status: str
) -> None:
    clock.advance(ahead)
    finding = (await found(backend))["clock"]
    assert finding.status == status
    assert ("behind" if ahead > timedelta() else "ahead") in finding.detail


async def test_a_server_that_may_forget_is_told(backend: PostgresBackend) -> None:
    # The servers of the tests are quick and may.
    assert (await found(backend))["durability"].status is Health.WARNING


async def test_a_read_only_database_is_told(backend: PostgresBackend, administer: Ask, url: str) -> None:
    await backend.ping()
    connection = await backend.executor._source.acquire()
    await connection.execute("SET default_transaction_read_only = on")
    await backend.executor._source.give_back(connection)
    assert (await found(backend))["server role"].status is Health.FAILED


async def test_an_encoding_that_cannot_hold_every_name_is_told(
    postgres_url: str, build: OpenBackend, postgres_databases: PostgresDatabases
) -> None:
    url = postgres_databases.url_of("latin")
    first = build(database_url=postgres_url)
    await first.executor.ask("SELECT 1")
    connection = await first.executor._source.acquire()
    await connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'")
    latin = build(database_url=url)
    assert (await found(latin))["database encoding"].status is Health.FAILED
    await latin.aclose()
    await connection.execute("DROP DATABASE latin WITH (FORCE)")
    await first.executor._source.give_back(connection)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DROP TABLE regstack_blacklist", "table regstack_blacklist"),
        ("ALTER TABLE regstack_users DROP COLUMN phone_number", "column regstack_users.phone_number"),
        (
            "ALTER TABLE regstack_users DROP CONSTRAINT regstack_users_email_key_key",
            "regstack_users_email_key_key",
        ),
        ("ALTER TABLE regstack_blacklist DROP CONSTRAINT regstack_blacklist_pkey", "regstack_blacklist_pkey"),
        (
            "ALTER TABLE regstack_mfa_codes DROP CONSTRAINT regstack_mfa_codes_user_fkey",
            "mfa_codes_user_fkey",
        ),
        ("DROP INDEX regstack_pending_expires_at_idx", "index regstack_pending_expires_at_idx"),
    ],
)
async def test_parts_of_the_schema_that_are_missing_are_named(
    backend: PostgresBackend, administer: Ask, damage: str, told: str
) -> None:
    assert (await found(backend))["schema objects"].status is Health.OK
    await administer(damage)
    finding = (await found(backend))["schema objects"]
    assert finding.status is Health.FAILED
    assert told in finding.detail
    assert finding.detail.count("regstack_") == told.count("regstack_") + ("mfa_codes_user" in told)


async def test_a_schema_that_is_not_there_is_left_to_pending_changes(
    build: OpenBackend, empty_url: str
) -> None:
    assert "schema objects" not in await found(build(database_url=empty_url))


@pytest.mark.usefixtures("in_time")
async def test_a_pool_that_the_server_has_no_room_for_is_told(build: OpenBackend, url: str) -> None:
    finding = (await found(build(database_url=url, db_pool_size=500)))["connections"]
    assert finding.status is Health.WARNING
    assert "db_pool_size" in finding.next_step
