"""The primary is killed and another server takes over: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from regstack.backends.base import Backend
from regstack.errors import BackendTimeout
from regstack.testing.builders import Builder
from tests.reliability.conftest import ROUNDS
from tests.reliability.ledger import Ledger, until_it_answers
from tests.servers.mongo import MongoReplicaSet
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerFailed

pytestmark = pytest.mark.anyio

NUMBERS = {"short": 1, "long": 10}
PATIENCE_SECONDS = 60


class PostgresPair:
    """A primary and a standby that it waits for."""

    def __init__(self, primary: PostgresServer, standby: PostgresServer) -> None:
        self._primary, self._standby = primary, standby
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        self.url = f"postgresql://postgres@{hosts}/postgres"

    def fail_over(self) -> None:
        self._primary.kill()
        self._standby.promote()

    def cut_off_the_standby(self) -> None:
        self._standby.pause()

    def fail_over_to_what_the_standby_has(self) -> None:
        self._primary.kill()
        self._standby.resume()
        self._standby.promote()


class MongoSet:
    """Three members."""

    def __init__(self, members: MongoReplicaSet) -> None:
        self._members = members
        self.url = members.url

    def fail_over(self) -> None:
        self._members.primary().kill()
        self._members.primary()


@contextmanager
def postgres_pair() -> Iterator[PostgresPair]:
    with PostgresServer(durable=True) as primary:
        standby = PostgresServer(durable=True, from_primary=primary)
        with standby:
            primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            primary.sql("SELECT pg_reload_conf()")
            wait_for(lambda: primary.sql("SELECT sync_state FROM pg_stat_replication") == "sync")
            yield PostgresPair(primary, standby)


@contextmanager
def mongo_set() -> Iterator[MongoSet]:
    with MongoReplicaSet(members=3) as members:
        yield MongoSet(members)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise ServerFailed("the servers do not form a cluster")
        time.sleep(0.05)


CLUSTERS = {
    "postgres": (postgres_pair, "the primary of a PostgreSQL pair with a synchronous standby"),
    "mongo": (mongo_set, "the primary of a MongoDB set of three"),
}


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("kind", CLUSTERS)
async def test_when_the_primary_is_killed_another_takes_over_without_a_loss_or_a_restart(
    kind: str,
    rounds: str,
    make: Builder,
    connect: Callable[[str], Backend],
    connect_patiently: Callable[[str], Backend],
    tell: Callable[..., None],
) -> None:
    open_cluster, name = CLUSTERS[kind]
    acknowledged = failed = 0
    lost: list[str] = []
    for number in range(NUMBERS[rounds]):
        with open_cluster() as cluster:
            backend, witness = connect(cluster.url), connect_patiently(cluster.url)
            await witness.install_schema()
            ledger = Ledger()
            ledger.start(backend, make, number)
            await ledger.reach(random.Random(number).randrange(20, 60))
            await asyncio.to_thread(cluster.fail_over)
            await until_it_answers(backend)
            before = len(ledger.acknowledged)
            await ledger.reach(before + 20)  # the same backend, not opened again
            await ledger.end()
            assert ledger.escaped == []
            lost += await ledger.lost(witness)
            acknowledged += len(ledger.acknowledged)
            failed += ledger.failed
            await backend.aclose()
            await witness.aclose()
    tell(name, NUMBERS[rounds], acknowledged, len(lost), failed)
    assert lost == []


async def test_a_write_that_no_standby_has_is_not_acknowledged(
    make: Builder, connect: Callable[..., Backend], connect_patiently: Callable[[str], Backend]
) -> None:
    with postgres_pair() as pair:
        backend, witness = connect(pair.url, db_timeout_seconds=1.0), connect_patiently(pair.url)
        await witness.install_schema()
        user = await witness.users.create(make.user())
        await until_it_answers(backend)
        pair.cut_off_the_standby()
        with pytest.raises(BackendTimeout) as caught:
            await backend.users.set_password(user.id, "new")
        assert caught.value.outcome_unknown
        await asyncio.to_thread(pair.fail_over_to_what_the_standby_has)
        await until_it_answers(backend)
        assert await witness.users.set_password(user.id, "newer") is not None
        await backend.aclose()
        await witness.aclose()
