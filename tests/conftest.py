"""A whole application to test against: one `RegStack` on each backend, behind a real HTTP client."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from regstack import RegStack, RegStackConfig
from regstack.auth.clock import FrozenClock
from regstack.email.console import ConsoleEmailService
from regstack.plugins.registry import PluginRegistry
from regstack.sms.null import NullSmsService

SECRET = "a root secret that only the tests know " * 2
PASSWORD = "correct horse battery"
PHONE = "+41446681800"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BACKENDS = ("memory", "sqlite", "postgres", "mongo")


@dataclass
class World:
    """One running application, and what a person would see of it."""

    rs: RegStack
    client: httpx2.AsyncClient
    clock: FrozenClock
    outbox: ConsoleEmailService
    texts: NullSmsService
    app: FastAPI

    def at(self, address: str) -> World:
        """The same application, called by another browser from another address."""
        return replace(self, client=client_of(self.app, self.rs.config.base_url, address))

    async def call(
        self, method: str, path: str, body: Any = None, token: str | None = None, **kwargs: Any
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        path = self.rs.config.api_prefix + path
        if body is not None:
            kwargs["json"] = body
        return await self.client.request(method, path, headers=headers, **kwargs)

    async def post(self, path: str, body: Any = None, token: str | None = None) -> httpx2.Response:
        return await self.call("POST", path, body, token)

    async def get(self, path: str, token: str | None = None) -> httpx2.Response:
        return await self.call("GET", path, token=token)

    async def mails(self, to: str) -> list[Any]:
        assert await self.rs.drain()
        return [mail for mail in self.outbox.outbox if mail.to == to]

    async def mailed_token(self, to: str) -> str:
        """The token in the newest mail to an address."""
        found = re.search(r"token=([\w-]+)", (await self.mails(to))[-1].text)
        assert found
        return found[1]

    async def texted_code(self, to: str) -> str:
        """The code in the newest text to a number."""
        assert await self.rs.drain()
        return [str(text.text.split()[0]) for text in self.texts.outbox if text.to == to][-1]

    async def account(self, email: str = "alice@example.com", password: str = PASSWORD) -> dict[str, Any]:
        """Register an address and confirm it."""
        answer = await self.post("/register", {"email": email, "password": password})
        assert answer.status_code == 201, answer.text
        answer = await self.post("/verify", {"token": await self.mailed_token(email)})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def add_phone(self, token: str, number: str = PHONE, password: str = PASSWORD) -> None:
        """Make a phone the second factor of a signed-in account."""
        answer = await self.post(
            "/phone/start", {"phone_number": number, "current_password": password}, token
        )
        assert answer.status_code == 202, answer.text
        body = {"pending_token": answer.json()["pending_token"], "code": await self.texted_code(number)}
        answer = await self.post("/phone/confirm", body, token)
        assert answer.status_code == 200, answer.text

    async def log_in(self, email: str = "alice@example.com", password: str = PASSWORD) -> str:
        """Sign in and give the access token."""
        answer = await self.post("/login", {"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        assert await self.rs.drain()  # the place is known from now on
        return str(answer.json()["access_token"])

    async def begin_log_in(self, email: str = "alice@example.com", password: str = PASSWORD) -> str:
        """Sign in as far as the password goes, and give the token for the second factor."""
        answer = await self.post("/login", {"email": email, "password": password})
        assert answer.json().get("status") == "mfa_required", answer.text
        return str(answer.json()["mfa_pending_token"])

    async def finish_log_in(self, pending: str, code: str) -> httpx2.Response:
        return await self.post("/login/mfa-confirm", {"mfa_pending_token": pending, "code": code})


def client_of(app: FastAPI, base_url: str, address: str = "127.0.0.1") -> httpx2.AsyncClient:
    """A browser that keeps cookies; one that is not closed holds nothing open."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=True, client=(address, 50000))
    return httpx2.AsyncClient(transport=transport, base_url=base_url)


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture(scope="session")
def plugins() -> PluginRegistry:
    """The plugins of this environment; looking for them takes longer than what most tests do."""
    return PluginRegistry.discover()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory, plugins: PluginRegistry) -> Path:
    """A SQLite file with the schema and nothing else, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "regstack.db"
    config = RegStackConfig(database_url=f"sqlite+aiosqlite:///{file}")

    async def migrate() -> None:
        backend = plugins.create_backend(config, FrozenClock(START))
        await backend.install_schema()
        await backend.aclose()

    asyncio.run(migrate())
    return file


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the schema and nothing else on each backend."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "regstack.db")
        yield f"sqlite+aiosqlite:///{file}"
    elif request.param == "postgres":
        databases = request.getfixturevalue("postgres_databases")
        url = databases.migrated()
        yield url
        databases.give_back(url)
    elif request.param == "mongo":
        yield request.getfixturevalue("mongo_databases").emptied("http")
    else:
        yield "memory://"


@pytest.fixture
async def make_world(database_url: str, plugins: PluginRegistry) -> AsyncIterator[MakeWorld]:
    """Start an application with the settings given."""
    async with AsyncExitStack() as stack:

        async def make(*, oauth_providers: Any = None, **settings: Any) -> World:
            defaults = {
                "database_url": database_url,
                "jwt_secret": SECRET,
                "password_hash_preset": "insecure-test",
                "base_url": "http://app.example",
            }
            clock, outbox, texts = FrozenClock(START), ConsoleEmailService(), NullSmsService()
            config = RegStackConfig(**(defaults | settings))
            backend = plugins.create_backend(config, clock)
            stack.push_async_callback(backend.aclose)
            made = RegStack(
                config,
                backend=backend,
                clock=clock,
                email_service=outbox,
                sms_service=texts,
                oauth_providers=oauth_providers,
            )
            rs = await stack.enter_async_context(made)
            app = FastAPI()
            app.include_router(rs.router, prefix=config.api_prefix)
            client = client_of(app, config.base_url)
            return World(rs, await stack.enter_async_context(client), clock, outbox, texts, app)

        yield make


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """An application with the default settings, on each backend."""
    return await make_world()
