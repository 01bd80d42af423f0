"""Several hosts in the URL: the one that takes writes is found."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from regstack.errors import BackendUnavailable
from regstack.models.finding import Health
from regstack.models.user import User
from regstack.testing.fixtures import answered
from regstack_postgres.backend import PostgresBackend
from tests.servers.postgres import PostgresServer
from tests.servers.process import POLL_SECONDS, START_SECONDS, free_port

pytestmark = pytest.mark.anyio

OpenBackend = Callable[..., PostgresBackend]
MakeUser = Callable[..., User]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary that waits for its standby, and the standby, which the tests leave as they are."""
    with started_pair() as pair:
        yield pair


@pytest.fixture
def own_pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """The same, for a test that kills a server or changes its settings."""
    with started_pair() as pair:
        yield pair


@contextmanager
def started_pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    with (
        PostgresServer(durable=True) as primary,
        PostgresServer(durable=True, from_primary=primary) as standby,
    ):
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'")
        primary.sql("SELECT pg_reload_conf()")
        deadline = time.monotonic() + START_SECONDS
        while primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'") != "1":
            assert time.monotonic() < deadline, "the standby does not follow its primary"
            time.sleep(POLL_SECONDS)
        yield primary, standby


def url_of(*ports: int, options: str = "") -> str:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://postgres@{hosts}/postgres{options}"


@pytest.mark.parametrize(
    "preference", ["", "?target_session_attrs=prefer-standby", "?target_session_attrs=any"]
)
async def test_a_dead_host_and_a_standby_are_passed_over(
    pair: tuple[PostgresServer, PostgresServer], build: OpenBackend, make_user: MakeUser, preference: str
) -> None:
    primary, standby = pair
    backend = build(database_url=url_of(free_port(), standby.port, primary.port, options=preference))
    await backend.install_schema()
    user = await backend.users.create(make_user())
    assert await backend.users.get_by_id(user.id) == user
    assert tuple(await backend.executor.ask("SELECT pg_is_in_recovery(), inet_server_port()")) == (
        False,
        primary.port,
    )
    await backend.drop_schema()


async def test_a_host_that_stands_still_takes_its_share_of_the_time_only(
    postgres_url: str, build: OpenBackend
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        hosts = url_of(silent.getsockname()[1], urlsplit(postgres_url).port or 5432)
        backend = build(database_url=hosts, db_connect_timeout_seconds=4, db_pool_size=2)
        await answered(backend.ping)
        assert asked(silent)
        # From now on the one that took writes is asked first, as the second connection shows.
        await asyncio.gather(*(backend.executor.ask("SELECT pg_sleep(0.05)") for _ in range(2)))
        assert backend.executor.use is not None
        assert backend.executor.use.open == 2
        assert not asked(silent)


def asked(silent: socket.socket) -> int:
    """How often somebody connected since the last question."""
    times = 0
    with suppress(BlockingIOError):
        while True:
            silent.accept()[0].close()
            times += 1
    return times


async def test_a_standby_alone_is_unavailable_and_says_what_to_write(
    pair: tuple[PostgresServer, PostgresServer], build: OpenBackend
) -> None:
    backend = build(database_url=url_of(pair[1].port), db_timeout_seconds=1)
    with pytest.raises(BackendUnavailable, match="all servers with commas") as caught:
        await backend.users.count()
    assert not caught.value.outcome_unknown


async def test_after_a_fail_over_the_new_primary_is_found_with_all_that_was_acknowledged(
    own_pair: tuple[PostgresServer, PostgresServer], build: OpenBackend, make_user: MakeUser
) -> None:
    primary, standby = own_pair
    backend = build(database_url=url_of(primary.port, standby.port), db_timeout_seconds=5)
    await backend.install_schema()
    users = [await backend.users.create(make_user()) for _ in range(20)]
    primary.kill()
    with pytest.raises(BackendUnavailable):
        await backend.ping()
    standby.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
    standby.sql("SELECT pg_reload_conf()")
    standby.promote()
    assert await backend.users.list_page(limit=99) == users
    assert await backend.users.delete(users[0].id)


async def test_diagnosis_tells_what_a_fail_over_may_lose(
    own_pair: tuple[PostgresServer, PostgresServer], build: OpenBackend
) -> None:
    primary, _ = own_pair
    backend = build(database_url=primary.url)

    async def replication() -> Any:
        return {finding.name: finding for finding in await backend.diagnose()}["replication"]

    assert (await replication()).status is Health.OK
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
    primary.sql("SELECT pg_reload_conf()")
    async with asyncio.timeout(60):
        while (found := await replication()).status is Health.OK:  # noqa: ASYNC110 - the server knows no Event
            await asyncio.sleep(0)
    assert found.status is Health.WARNING
    assert "synchronous_standby_names" in found.next_step
