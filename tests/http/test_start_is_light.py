"""What a process imports until its first answer, with default settings and a schema that is current."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import pytest

from benchmarks.applications import regstack_on
from tests.conftest import SECRET

pytestmark = pytest.mark.anyio

FIRST_ANSWER = Path(__file__).parents[2] / "benchmarks" / "first_answer.py"
NEEDLESS = {
    "aiosmtplib", "alembic", "beanie", "boto3", "httpx2", "jinja2", "joserfc", "phonenumbers", "rich",
    "sqlalchemy.ext.asyncio", "sqlalchemy.orm", "tenacity", "typer", "uvicorn",
    "regstack.oauth", "regstack.routers.oauth", "regstack.services.oauth_flow", "regstack.testing.memory",
    "regstack.ui",
}  # fmt: skip
OF_OTHERS = {
    "sqlite": {"asyncpg", "pymongo", "sqlalchemy.dialects.postgresql"},
    "postgres": {"aiosqlite", "pymongo", "sqlalchemy.dialects.sqlite"},
    "mongo": {"aiosqlite", "asyncpg", "sqlalchemy"},
}


@pytest.mark.parametrize(("database_url", "others"), OF_OTHERS.items(), indirect=["database_url"])
async def test_a_start_imports_what_its_first_answer_needs_and_nothing_else(
    database_url: str, others: set[str], tmp_path: Path
) -> None:
    settings = {"database_url": database_url, "jwt_secret": SECRET}
    people = await regstack_on.populate(settings, 1)
    facts, given = tmp_path / "facts.json", tmp_path / "given.json"
    facts.write_text(json.dumps({"me": regstack_on.ME, "people": people}))
    given.write_text(json.dumps({"module": "regstack_on", "settings": settings, "facts": str(facts)}))
    done = await anyio.run_process([sys.executable, FIRST_ANSWER, given], stderr=None)
    loaded = set(json.loads(done.stdout))
    assert {"fastapi", "regstack.app"} <= loaded
    assert not loaded & (NEEDLESS | others)
