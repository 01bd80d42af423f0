"""How often each route waits for storage before its answer, with the default limits.

A wait is what one round trip takes (`tests.waits`): what is sent together shares one, BEGIN and COMMIT
count, and work after the answer does not. `docs/performance.md` says what that means.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.everything import everything_on, mounted
from tests.security.walk import KNOWN, WALK, Step, Walk
from tests.social import providers
from tests.waits import Waits, count_on_the_wire, count_sqlite, prepares_on_postgres

pytestmark = pytest.mark.anyio

BACKENDS = ("sqlite", "postgres", "mongo")
ON_EACH = pytest.mark.parametrize("database_url", BACKENDS, indirect=True)
BUDGETS = {
    "GET /me": (1, 1, 1),
    "POST /login": (3, 3, 3),
    "POST /login, half": (4, 4, 4),
    "POST /login/mfa-confirm": (4, 4, 4),
    "POST /logout": (1, 1, 1),
    "POST /register": (2, 2, 2),
    "POST /verify": (5, 5, 6),
    "POST /resend-verification": (1, 1, 1),
    "POST /forgot-password": (1, 1, 1),
    "POST /reset-password": (2, 2, 2),
    "PATCH /me": (2, 2, 2),
    "POST /change-password": (3, 3, 3),
    "POST /change-email": (3, 3, 3),
    "POST /confirm-email-change": (1, 1, 1),
    "DELETE /account": (6, 7, 8),
    "POST /phone/start": (5, 5, 5),
    "POST /phone/confirm": (5, 5, 5),
    "DELETE /phone": (4, 4, 4),
    "GET /oauth/providers": (0, 0, 0),
    "GET /oauth/{provider}/start": (1, 1, 1),
    "GET /oauth/{provider}/callback": (10, 10, 9),
    "POST /oauth/{provider}/callback": (0, 0, 0),
    "POST /oauth/exchange": (3, 3, 4),
    "POST /oauth/{provider}/link/start": (2, 2, 3),
    "DELETE /oauth/{provider}/link": (5, 5, 5),
    "GET /admin/stats": (2, 2, 2),
    "GET /admin/users": (2, 2, 2),
    "GET /admin/users/{user_id}": (2, 2, 2),
    "PATCH /admin/users/{user_id}": (5, 6, 3),
    "DELETE /admin/users/{user_id}": (6, 7, 8),
    "POST /admin/users/{user_id}/resend-verification": (3, 3, 3),
    "POST /admin/pending/{email}/promote": (7, 7, 8),
}
"""Waits of each route where it does what it is there for, on SQLite, PostgreSQL and MongoDB.

Of ways that differ the longest counts; a sign-in that asks for a code has a line of its own.
"""

SECONDS = 60
"""A wait that never ends must not hold the run."""


class Meter(Walk):
    """A walker that writes down how often each call waited.

    Attributes:
        waits: counts.
        most: of each route, as it is walked, what was asked in each wait of its longest call.
    """

    def __init__(self, *args: Any, waits: Waits) -> None:
        super().__init__(*args)
        self.waits = waits
        self.most: dict[str, list[list[str]]] = {}

    async def make(self, step: Step) -> None:
        answered = asyncio.Event()
        for queue in self.rs._queues:  # what is put after it runs after the answer
            queue.put(answered.wait, label="gate")
        request = self.client.request

        async def measured(*args: Any, **kwargs: Any) -> Any:
            self.waits.begin()
            answer = await request(*args, **kwargs)
            self._note(step)
            answered.set()
            return answer

        self.client.request = measured  # type: ignore[method-assign]
        try:
            async with asyncio.timeout(SECONDS):
                await super().make(step)
        finally:
            self.client.request = request  # type: ignore[method-assign]

    async def resend_to_an_account(self) -> None:
        """Make the one call that needs an account which no walk leaves behind, an unconfirmed one."""
        carol = await self.rs.users.get_by_email(KNOWN["carol"])
        assert carol is not None
        await self.rs.users.set_flags(carol.id, is_verified=False)
        path = f"POST /admin/users/{carol.id}/resend-verification"
        await self.make(Step(path, 202, by="root_session"))

    def _note(self, step: Step) -> None:
        route = step.route.partition("?")[0].removeprefix("form ")
        if "mfa_pending_token" in step.keep.values():
            route += ", half"
        if step.status < 400:
            self.most[route] = max(self.most.get(route, []), self.waits.seen(), key=len)

    def counts(self) -> dict[str, list[list[str]]]:
        """Give `most` by the paths of the OpenAPI document."""
        prefix = self.rs.config.api_prefix
        known = [
            f"{method.upper()} {path.removeprefix(prefix)}"
            for path, methods in mounted(self.rs).openapi()["paths"].items()
            for method in methods
        ]
        counts: dict[str, list[list[str]]] = {}
        for walked, seen in self.most.items():
            route, comma, half = walked.partition(", ")
            for name in known:
                if re.fullmatch(re.sub(r"\\{\w+\\}", r"[^/]+", re.escape(name)), route):
                    row = name + comma + half
                    counts[row] = max(counts.get(row, []), seen, key=len)
        return counts


@pytest.fixture
async def meter(make_world: Any, database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Meter]:
    """A walker in front of an application whose storage is counted; a parameter are settings."""
    waits = Waits(prepares=prepares_on_postgres) if database_url.startswith("postgres") else Waits()
    settings = everything_on() | {"oauth_providers": providers()} | getattr(request, "param", {})
    async with AsyncExitStack() as stack:
        if not database_url.startswith("sqlite"):
            stack.enter_context(count_on_the_wire(database_url, waits))
        world = await make_world(**settings)
        if database_url.startswith("sqlite"):
            count_sqlite(world.rs, waits)
        hasher = world.rs.password_hasher
        hasher.hash, hasher.verify = (computing(waits, each) for each in (hasher.hash, hasher.verify))
        app = mounted(world.rs)
        app.include_router(world.rs.ui_router, prefix=world.rs.config.ui_prefix)
        transport = httpx2.ASGITransport(app)
        client = httpx2.AsyncClient(transport=transport, base_url=world.rs.config.base_url)
        await stack.enter_async_context(client)
        await world.rs.bootstrap_admin(KNOWN["root"], KNOWN["root_password"])
        connections = world.rs.config.db_pool_size
        for _ in range(connections):  # all of them are open before anything is counted
            await asyncio.gather(*(world.rs.users.count() for _ in range(connections)))
        yield Meter(world.rs, client, world.outbox.outbox, waits=waits)


def computing(waits: Waits, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    return lambda *args: waits.computing(original(*args))


@ON_EACH
async def test_each_route_waits_for_storage_as_often_as_its_budget_says(
    meter: Meter, request: pytest.FixtureRequest
) -> None:
    for step in WALK:
        await meter.make(step)
    await meter.resend_to_an_account()
    counts = meter.counts()
    at = BACKENDS.index(request.node.callspec.params["database_url"])
    came = {route: len(seen) for route, seen in counts.items()}
    wanted = {route: budget[at] for route, budget in BUDGETS.items()}
    assert came == wanted, "\n".join(
        f"{route} waited {len(seen)} times: {seen}"
        for route, seen in sorted(counts.items())
        if len(seen) != wanted.get(route)
    )


@ON_EACH
async def test_what_is_sent_together_is_one_wait_and_what_needs_an_answer_is_another(meter: Meter) -> None:
    users, waits = meter.rs.users, meter.waits
    waits.begin()
    await users.count()
    await users.count()
    assert [len(wait) for wait in waits.seen()] == [1, 1]
    waits.begin()
    await asyncio.gather(users.count(), users.count(is_active=True))
    assert [len(wait) for wait in waits.seen()] == [2]

    async def count_later() -> None:
        await meter.rs.password_hasher.hash("a password")
        await users.count()

    waits.begin()
    await asyncio.gather(users.count(), count_later())
    assert [len(wait) for wait in waits.seen()] == [2]


@pytest.mark.parametrize("meter", [{"login_rate_limit": "5/minute;20/hour"}], indirect=True)
@ON_EACH
async def test_a_limit_costs_one_wait_for_the_network_and_one_for_the_account(meter: Meter) -> None:
    body = {"email": KNOWN["root"], "password": KNOWN["root_password"]}
    await meter.make(Step("POST /login", 200, body))
    assert [len(wait) for wait in meter.counts()["POST /login"]] == [2, 2, 1, 1, 2]


def test_the_page_shows_the_budgets() -> None:
    page = (Path(__file__).parents[2] / "docs/performance.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z]+ /[^`]*)`(,[^|]*)? \| (\d+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    shown = {route + (", half" if half else ""): tuple(map(int, counts)) for route, half, *counts in rows}
    assert shown == BUDGETS
