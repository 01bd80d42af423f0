"""The host application of examples/ does what it says, with its own table beside the accounts."""

from __future__ import annotations

import importlib
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from regstack import RegStack, RegStackConfig
from regstack.email.console import ConsoleEmailService

EXAMPLES = Path(__file__).parents[2] / "examples"
PASSWORD = "correct horse battery"


class Host:
    """The running application, and what people see of it."""

    def __init__(
        self, client: httpx2.AsyncClient, rs: RegStack, mails: ConsoleEmailService, notes: Path
    ) -> None:
        self.client, self.rs, self.mails, self.notes = client, rs, mails, notes

    async def sign_in(self, email: str) -> dict[str, str]:
        """Register, confirm and sign in; gives the header that says so."""
        body = {"email": email, "password": PASSWORD}
        assert (await self.client.post("/api/auth/register", json=body)).status_code == 201
        assert await self.rs.drain()
        token = re.search(r"token=([\w-]+)", self.mails.outbox[-1].text)
        assert token is not None
        assert (await self.client.post("/api/auth/verify", json={"token": token[1]})).status_code == 200
        answer = await self.client.post("/api/auth/login", json=body)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def rows(self) -> int:
        connection = sqlite3.connect(self.notes)
        try:
            return int(connection.execute("SELECT count(*) FROM notes").fetchone()[0])
        finally:
            connection.close()


@pytest.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    config = RegStackConfig(
        database_url="memory://",
        jwt_secret="a secret of the tests alone, long enough",
        password_hash_preset="insecure-test",
        enable_ui_router=True,
    )
    mails = ConsoleEmailService()
    rs = RegStack(config=config, email_service=mails)
    notes = tmp_path / "notes.db"
    monkeypatch.syspath_prepend(EXAMPLES)
    app = importlib.import_module("host_app").create_app(rs, str(notes))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=config.base_url) as client,
    ):
        yield Host(client, rs, mails, notes)


async def test_nobody_gets_at_notes_without_signing_in(host: Host) -> None:
    assert (await host.client.get("/notes")).status_code == 401
    assert (await host.client.post("/notes", json={"text": "mine"})).status_code == 401


async def test_each_person_sees_their_own_notes(host: Host) -> None:
    alice, bob = await host.sign_in("alice@example.com"), await host.sign_in("bob@example.com")
    answer = await host.client.post("/notes", json={"text": "of alice"}, headers=alice)
    assert answer.status_code == 201
    assert (await host.client.get("/notes", headers=alice)).json() == [{"text": "of alice"}]
    assert (await host.client.get("/notes", headers=bob)).json() == []


async def test_notes_go_with_their_account(host: Host) -> None:
    alice = await host.sign_in("alice@example.com")
    await host.client.post("/notes", json={"text": "of alice"}, headers=alice)
    assert host.rows() == 1
    body = {"current_password": PASSWORD}
    answer = await host.client.request("DELETE", "/api/auth/account", json=body, headers=alice)
    assert answer.status_code == 200
    assert await host.rs.drain()
    assert host.rows() == 0


async def test_the_pages_are_there_with_their_stylesheet(host: Host) -> None:
    page = await host.client.get("/account/login")
    assert page.status_code == 200
    stylesheet = re.search(r'href="(?:http://localhost:8000)?(/regstack-static/[^"]+)"', page.text)
    assert stylesheet is not None
    assert (await host.client.get(stylesheet[1])).status_code == 200
