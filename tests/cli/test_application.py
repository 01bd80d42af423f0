"""The application that `regstack serve` runs."""

from __future__ import annotations

import logging

import httpx2
import pytest

from regstack import RegStack, RegStackConfig
from regstack.cli.application import build_application
from regstack.cli.server import WithoutQuery
from regstack.errors import BackendUnavailable

SETTINGS = {"database_url": "memory://", "jwt_secret": "only the tests know this " * 2}


@pytest.mark.parametrize(("pages", "entrance"), [(True, "/account/login"), (False, "/healthz")])
async def test_the_entrance_leads_somewhere(pages: bool, entrance: str) -> None:
    app = build_application(RegStackConfig(**SETTINGS, enable_ui_router=pages))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://app.example"
    ) as client:
        answer = await client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, entrance)
        assert (await client.get(entrance)).status_code == 200


async def test_the_documentation_s_third_party_scripts_are_for_demonstrations_only() -> None:
    for documentation, status in [(False, 404), (True, 200)]:
        app = build_application(RegStackConfig(**SETTINGS), documentation=documentation)
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://app.example") as client:
            for path in ("/docs", "/openapi.json"):
                assert (await client.get(path)).status_code == status
            assert (await client.get("/redoc")).status_code == status


async def test_a_database_that_does_not_answer_shows_in_the_health_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[RegStack] = []

    async def remember(rs: RegStack) -> None:
        started.append(rs)

    app = build_application(RegStackConfig(**SETTINGS), on_start=remember)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app.example") as client,
    ):
        assert (await client.get("/healthz")).status_code == 200

        async def fail() -> None:
            raise BackendUnavailable("postgresql://user:s3cret@host is away")

        monkeypatch.setattr(started[0].backend, "ping", fail)
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
    assert answer.headers["retry-after"]


def test_the_access_log_holds_no_query() -> None:
    arguments = ("127.0.0.1:5", "GET", "/account/verify?token=s3cret", "1.1", 200)
    record = logging.LogRecord(
        "uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', arguments, None
    )
    assert WithoutQuery().filter(record)
    assert record.getMessage() == '127.0.0.1:5 - "GET /account/verify HTTP/1.1" 200'
