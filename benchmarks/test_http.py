"""`GET /me` against an endpoint that only checks a token and never asks a database."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel

from regstack import RegStack, RegStackConfig
from regstack.services.sessions import AccessToken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.conftest import Compare

REQUESTS = 200
EMAIL, PASSWORD = "alice@example.com", "correct horse battery"

bearer = HTTPBearer()


class Answer(BaseModel):
    """As many fields as an account has in an answer."""

    id: str
    email: str
    is_active: bool = True
    is_verified: bool = True
    is_superuser: bool = False
    full_name: str | None = None
    phone_number: str | None = None
    is_mfa_enabled: bool = False
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None = None
    tokens_invalidated_after: datetime | None = None


def token_only_app(key: OctKey) -> FastAPI:
    """What an application would write that trusts the token alone."""
    app = FastAPI()
    registry = jwt.JWTClaimsRegistry(exp={"essential": True})

    async def claims(credentials: HTTPAuthorizationCredentials = Depends(bearer)) -> dict[str, Any]:
        try:
            token = jwt.decode(credentials.credentials, key, algorithms=["HS256"])
            registry.validate(token.claims)
        except JoseError as error:
            raise HTTPException(401) from error
        return token.claims

    @app.get("/me")
    async def me(claims: dict[str, Any] = Depends(claims)) -> Answer:
        now = datetime.now(UTC)
        return Answer(id=claims["sub"], email=EMAIL, created_at=now, updated_at=now)

    return app


async def get(app: Any, path: str, token: str) -> None:
    """Send one request to an ASGI application, without a client that would cost more than it."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    assert statuses == [200]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def requests(runner: asyncio.Runner, app: FastAPI, path: str, token: str) -> Callable[[], float]:
    async def work() -> float:
        start = time.process_time()
        for _ in range(REQUESTS):
            await get(app, path, token)
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
        app.include_router(rs.router)
        return app, token.text

    yield lambda url: runner.run(start(url))
    for rs in opened:
        runner.run(rs.aclose())


def test_a_signed_in_request(
    compare: Compare,
    runner: asyncio.Runner,
    tmp_path: Path,
    signed_in: Callable[[str], tuple[FastAPI, str]],
) -> None:
    key = OctKey.import_key(secrets.token_urlsafe(48))
    claims = {"sub": "someone", "exp": int(time.time()) + 3600}
    floor = token_only_app(key)
    floor_token = jwt.encode({"alg": "HS256"}, claims, key)
    memory, memory_token = signed_in("memory://")
    sqlite, sqlite_token = signed_in(f"sqlite+aiosqlite:///{tmp_path}/regstack.db")
    compare(
        "GET /me over ASGI",
        floor="an_endpoint_that_trusts_the_token_alone",
        an_endpoint_that_trusts_the_token_alone=requests(runner, floor, "/me", floor_token),
        regstack_on_memory=requests(runner, memory, "/me", memory_token),
        regstack_on_SQLite=requests(runner, sqlite, "/me", sqlite_token),
    )
