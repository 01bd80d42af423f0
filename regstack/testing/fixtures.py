"""Fixtures of the contract suite, for its own tests and for those that an author adds."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from regstack.auth.clock import FrozenClock
from regstack.backends.base import Capability
from regstack.errors import BackendTimeout, BackendUnavailable
from regstack.testing import plugin
from regstack.testing.builders import Builder
from regstack.testing.clauses import Clause, catalogue
from regstack.testing.contest import Contest
from regstack.testing.expectation import Expectation
from regstack.testing.processes import Fleet
from regstack.testing.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from regstack.auth.clock import Clock
    from regstack.backends.base import Backend
    from regstack.testing.harness import Harness

T = TypeVar("T")

FAULT_DEADLINE_SECONDS = 1.0
"""`db_timeout_seconds` of an instance whose server falls silent."""

PATIENCE_SECONDS = 30
"""How long the suite waits for something that must happen soon, on a busy machine."""

START = datetime(2031, 5, 4, 10, 20, 30, 400_000, tzinfo=UTC)
"""Where the clock of every test stands: later than any server's own."""


class Database:
    """An empty namespace, and the instances that are open over it.

    Attributes:
        harness: what opens them.
        clock: the clock that they share.
        first: the instance that was opened first; the fixture `backend`.
    """

    first: Backend

    def __init__(self, harness: Harness, clock: FrozenClock) -> None:
        self.harness = harness
        self.clock = clock
        self._opened: list[Backend] = []

    async def open(self, clock: Clock | None = None, **settings: Any) -> Backend:
        """Open one more instance; it is closed after the test."""
        backend = await self.harness.open(clock if clock is not None else self.clock, **settings)
        self._opened.append(backend)
        return backend

    async def aclose(self) -> None:
        """Close all instances."""
        while self._opened:
            await self._opened.pop().aclose()


@pytest.fixture
def clock() -> FrozenClock:
    """Stand still until told to move."""
    return FrozenClock(START)


@pytest.fixture
def make(clock: FrozenClock) -> Builder:
    """Build test data at the clock's time."""
    return Builder(clock)


@pytest.fixture
async def database(
    request: pytest.FixtureRequest, harness: Harness, clock: FrozenClock
) -> AsyncIterator[Database]:
    """Give the test a namespace that holds the schema and nothing else.

    Ends the test where the backend does not declare what its `needs` marker names.
    """
    manifest = request.config.stash[plugin.MANIFEST]
    manifest.known_failures = harness.known_failures
    await harness.fresh(clock)
    database = Database(harness, clock)
    try:
        database.first = backend = await database.open()
        manifest.backend = backend.kind
        manifest.capabilities = tuple(sorted(backend.capabilities))
        needed = {name for marker in request.node.iter_markers("needs") for name in marker.args}
        if lacking := needed - backend.capabilities:
            raise plugin.NotDeclared(f"{', '.join(sorted(lacking))} is not declared")
        yield database
    finally:
        await database.aclose()


@pytest.fixture
def backend(database: Database) -> Backend:
    """Give an instance over the empty namespace."""
    return database.first


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Tell what draws the orders of this run."""
    return request.config.stash[plugin.MANIFEST].seed


@pytest.fixture
def expect(request: pytest.FixtureRequest, harness: Harness, seed: int) -> Expectation:
    """Compare answers with the clauses that the test names."""
    names = [name for marker in request.node.iter_markers("clause") for name in marker.args]
    rules = catalogue()
    return Expectation([rules.get(name, Clause(name, "")) for name in names], harness.kind, seed)


@pytest.fixture(scope="session")
def fleets() -> Iterator[list[Fleet]]:
    """Keep the worker processes of the run; empty until a test needs them."""
    fleets: list[Fleet] = []
    yield fleets
    for fleet in fleets:
        fleet.stop()


@pytest.fixture(params=["instances", "processes"])
async def contest(
    request: pytest.FixtureRequest, database: Database, seed: int, fleets: list[Fleet]
) -> AsyncIterator[Contest]:
    """Make calls at once: on two instances of this process, and again from two processes."""
    thorough = request.config.getoption("--regstack-thorough")
    rng = Random(f"{seed} {request.node.name}")  # noqa: S311 - an order, not a secret
    if request.param == "instances":
        pair = [database.first, await database.open()]
        for one in pair:
            await one.users.count()
        yield Contest(rng, 25 if thorough else 3, pair)
        return
    async with _opened_fleet(database, fleets) as fleet:
        yield Contest(rng, 10 if thorough else 1, [], fleet)


@asynccontextmanager
async def _opened_fleet(database: Database, fleets: list[Fleet]) -> AsyncIterator[Fleet]:
    if Capability.MULTI_PROCESS not in database.first.capabilities:
        raise plugin.NotDeclared("multi_process is not declared")
    spec = database.harness.process_spec()
    if spec is None:
        pytest.fail("the backend declares multi_process, and its harness gives no process_spec()")
    if not fleets:
        fleets.append(Fleet())
    await fleets[0].open(spec, database.clock.now())
    try:
        yield fleets[0]
    finally:
        await fleets[0].close_backends()


@dataclass(frozen=True, slots=True)
class Remote:
    """An instance that is connected by way of a proxy.

    Attributes:
        backend: the instance.
        proxy: passes everything until told otherwise.
    """

    backend: Backend
    proxy: FaultProxy


@pytest.fixture
async def remote(database: Database) -> AsyncIterator[Remote]:
    """Put a proxy before the server, and connect an instance through it."""
    async with _behind_proxy(database) as remote:
        yield remote


@pytest.fixture
async def hurried(remote: Remote, database: Database) -> AsyncIterator[Backend]:
    """Connect one more instance through the proxy, which gives up soon: for silence, and for nothing else.

    A busy machine may cost it a deadline at any time, so what must succeed is asked of another one, or
    until it is `answered`.
    """
    settings = database.harness.settings_through(remote.proxy.address)
    backend = await database.harness.open(
        database.clock,
        **settings,
        db_timeout_seconds=FAULT_DEADLINE_SECONDS,
        db_connect_timeout_seconds=FAULT_DEADLINE_SECONDS / 2,
    )
    try:
        await answered(backend.users.count)
        yield backend
    finally:
        await remote.proxy.restore()
        await backend.aclose()


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer, and give it.

    Raises:
        RegStackError: the storage did not answer for `PATIENCE_SECONDS`, or another error came.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await ask()
        except (BackendUnavailable, BackendTimeout):
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _behind_proxy(database: Database) -> AsyncIterator[Remote]:
    harness = database.harness
    address = harness.address()
    if address is None:
        raise plugin.NotAvailable("there is no server whose connections could be broken")
    async with FaultProxy(address, is_upkeep=harness.is_upkeep) as proxy:
        backend = await harness.open(database.clock, **harness.settings_through(proxy.address))
        try:
            await backend.users.count()
            seen = len(proxy.exchanges)
            await backend.users.count()
            if len(proxy.exchanges) == seen:
                raise plugin.NotAvailable("the driver goes round the proxy; see Harness.settings_through")
            yield Remote(backend, proxy)
        finally:
            await proxy.restore()
            await backend.aclose()


@pytest.fixture
async def counted(database: Database) -> AsyncIterator[tuple[Backend, list[Any]]]:
    """Give a connected instance, and a list that grows by each round trip that it makes."""
    backend = database.first
    await backend.users.count()
    counting = database.harness.count_statements(backend)
    if counting is not None:
        with counting as count:
            yield backend, count.statements
    elif database.harness.address() is None:
        raise plugin.NotAvailable("the harness has neither a statement counter nor an address")
    else:
        async with _behind_proxy(database) as remote:
            yield remote.backend, remote.proxy.exchanges
