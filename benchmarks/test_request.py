"""What a request costs before and after storage, part by part, in one process and without a socket."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response

from benchmarks.applications import token_only
from benchmarks.first_answer import status
from benchmarks.rounds import in_turns, ratio
from regstack import RegStack, RegStackConfig
from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.route import api_route
from regstack.services.sessions import AccessToken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.figures import Figures

REQUESTS = 200
EMAIL, PASSWORD = "alice@example.com", "correct horse battery"


def bare_app(router: APIRouter | None = None) -> FastAPI:
    """A route that does nothing, of FastAPI's own class or that of a router."""
    app, router = FastAPI(), router or APIRouter()

    @router.get("/me")
    async def me() -> Response:
        return Response(b"{}")

    app.include_router(router)
    return app


def host_app(rs: RegStack) -> FastAPI:
    """Routes of a host that ask who is signed in."""
    app = FastAPI()

    @app.get("/nothing", dependencies=[Depends(rs.deps.current_user())])
    async def nothing() -> Response:
        return Response(b"{}")

    @app.get("/dict")
    async def some(user: User = Depends(rs.deps.current_user())) -> dict[str, Any]:
        return {"id": user.id}

    return app


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def requests(runner: asyncio.Runner, app: FastAPI, path: str, token: str) -> Callable[[], float]:
    async def work() -> float:
        start = time.process_time()
        for _ in range(REQUESTS):
            assert await status(app, path, token) == 200
        return time.process_time() - start

    return lambda: runner.run(work())


@pytest.fixture
def signed_in(runner: asyncio.Runner) -> Iterator[Callable[[str], tuple[FastAPI, str]]]:
    """Make an application on a database URL, and an access token for it."""
    opened = []

    async def start(url: str) -> tuple[FastAPI, str]:
        config = RegStackConfig(
            database_url=url, jwt_secret=secrets.token_urlsafe(48), password_hash_preset="insecure-test"
        )
        rs = RegStack(config=config)
        opened.append(rs)
        await rs.install_schema()
        await rs.bootstrap_admin(EMAIL, PASSWORD)
        token = await rs.services.login.log_in(EMAIL, PASSWORD)
        assert isinstance(token, AccessToken)
        app = FastAPI()
        app.state.rs = rs
        app.include_router(rs.router)
        return app, token.text

    yield lambda url: runner.run(start(url))
    for rs in opened:
        runner.run(rs.aclose())


def test_parts_of_a_request(
    figures: Figures, runner: asyncio.Runner, signed_in: Callable[[str], tuple[FastAPI, str]]
) -> None:
    settings = {"secret": secrets.token_urlsafe(48)}
    (person,) = runner.run(token_only.populate(settings, 1))
    app, token = signed_in("memory://")
    rs: RegStack = app.state.rs
    host, own_route = host_app(rs), APIRouter(route_class=api_route(rs.config))
    floor = token_only.build(settings)
    taken = in_turns(
        {
            "nothing": requests(runner, bare_app(), "/me", token),
            "the same in a route of regstack": requests(runner, bare_app(own_route), "/me", token),
            "a host's route with `current_user()` that gives nothing": requests(
                runner, host, "/nothing", token
            ),
            "a host's route with `current_user()` that gives a dict": requests(runner, host, "/dict", token),
            "`GET /me` in memory": requests(runner, app, "/me", token),
            "an endpoint that only decodes the token": requests(runner, floor, token_only.ME, person.token),
        }
    )
    nothing = taken.pop("nothing")
    for name, rounds in taken.items():
        figures.add(
            "CPU of a request over that of a route that does nothing",
            name,
            **ratio(rounds, nothing)._asdict(),
        )
