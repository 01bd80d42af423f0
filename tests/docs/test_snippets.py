"""The Python on the pages runs, and does what the page says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

PASSWORD = "correct horse battery"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings from the environment, in an empty folder, as on a new machine after `regstack init`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGSTACK_JWT_SECRET", "a secret of the tests alone, long enough")
    monkeypatch.setenv("REGSTACK_DATABASE_URL", "memory://")
    monkeypatch.setenv("REGSTACK_PASSWORD_HASH_PRESET", "insecure-test")


def run(page: str, pages: dict[str, str]) -> dict[str, Any]:
    """Run all Python blocks of a page in one namespace, as one reads them."""
    names: dict[str, Any] = {"__name__": "snippet"}
    for number, block in enumerate(BLOCK.findall(pages[page]), start=1):
        exec(compile(block, f"{page}, block {number}", "exec"), names)
    return names


@asynccontextmanager
async def running(names: dict[str, Any]) -> AsyncIterator[httpx2.AsyncClient]:
    """Start the snippet's application and give a client of it."""
    app = names["app"]
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost:8000") as client,
    ):
        yield client


async def sign_in(client: httpx2.AsyncClient, names: dict[str, Any]) -> dict[str, str]:
    """Make a confirmed account and sign in; gives the header that says so."""
    body = {"email": "alice@example.com", "password": PASSWORD}
    assert (await client.post("/api/auth/register", json=body)).status_code == 201
    await names["rs"].promote_pending("alice@example.com")
    answer = await client.post("/api/auth/login", json=body)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_the_readme_embeds_regstack_in_one_block(pages: dict[str, str]) -> None:
    names = run("README.md", pages)
    async with running(names) as client:
        assert (await client.get("/hello")).status_code == 401
        headers = await sign_in(client, names)
        assert (await client.get("/hello", headers=headers)).json() == {"hello": "alice@example.com"}


async def test_the_page_of_the_second_factor_is_one_application(
    pages: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    names = run("docs/second-factor.md", pages)
    sent: list[Any] = []

    class Kept(names["Pigeons"]):  # type: ignore[misc]
        async def send(self, message: Any) -> None:
            await super().send(message)
            sent.append(message)

    rs = names["rs"]
    rs.set_sms_backend(Kept())
    async with running(names) as client:
        headers = await sign_in(client, names)
        body = {"phone_number": "+41446681800", "current_password": PASSWORD}
        answer = await client.post("/api/auth/phone/start", json=body, headers=headers)
        assert await rs.drain()
        body = {"pending_token": answer.json()["pending_token"], "code": sent[-1].text.split()[0]}
        answer = await client.post("/api/auth/phone/confirm", json=body, headers=headers)
        assert answer.json()["is_mfa_enabled"] is True
        login = {"email": "alice@example.com", "password": PASSWORD}
        begun = (await client.post("/api/auth/login", json=login)).json()
        assert begun["delivery"] == {"channel": "sms", "hint": "…00"}
        assert await rs.drain()
        body = {"mfa_pending_token": begun["mfa_pending_token"], "code": sent[-1].text.split()[0]}
        finished = await client.post("/api/auth/login/mfa-confirm", json=body)
        assert "access_token" in finished.json()
        await names["let_in_without_phone"](answer.json()["id"])
        assert "access_token" in (await client.post("/api/auth/login", json=login)).json()
    assert "to +41446681800" in capsys.readouterr().out


async def test_the_quickstart_is_one_application(
    pages: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGSTACK_ENABLE_UI_ROUTER", "true")
    names = run("docs/quickstart.md", pages)
    async with running(names) as client:
        assert (await client.get("/maybe")).json() == {"signed_in": False}
        headers = await sign_in(client, names)
        assert (await client.get("/maybe", headers=headers)).json() == {"signed_in": True}
        assert (await client.get("/hello", headers=headers)).json() == {"hello": "alice@example.com"}
        assert (await client.get("/reports", headers=headers)).status_code == 403
        assert (await client.get("/account/login")).status_code == 200
        body = {"current_password": PASSWORD}
        answer = await client.request("DELETE", "/api/auth/account", json=body, headers=headers)
        assert answer.status_code == 200
    told = capsys.readouterr().out
    assert "to alice@example.com about" in told
    assert "welcome" in told
    assert "forget everything" in told
