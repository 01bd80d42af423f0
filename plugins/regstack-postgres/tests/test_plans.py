"""No operation reads a whole table: each is played among 20,000 accounts, and the server tells how."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from regstack.auth.clock import FrozenClock
from regstack.backends.sql.statement import Statement
from regstack.testing.builders import Builder
from regstack_postgres.backend import PostgresBackend
from tests.operations import REPOSITORIES, operations_of
from tests.plans import ACCOUNTS, MAY_SCAN, START
from tests.population import Population, fill_postgres
from tests.servers.databases import PostgresDatabases

pytestmark = pytest.mark.anyio

MOST_ROWS = 100
"""Rows that an operation may look at; no table has less than 200."""

EXPLAINING = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",  # those of foreign keys
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    "client_min_messages": "notice",
}


@pytest.fixture(scope="module")
async def filled(postgres_databases: PostgresDatabases) -> AsyncIterator[str]:
    url = postgres_databases.migrated(new=True)
    await fill_postgres(url, Population(ACCOUNTS, START))
    yield url
    postgres_databases.drop(url)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The plans that the server tells of; the pool allows a connection no listener."""
    told: list[dict[str, Any]] = []

    def listen(_connection: Any, fields: dict[str, str], _query: Any) -> None:
        _, found, plan = fields["M"].partition("plan:\n")
        if found and "regstack_" in (about := json.loads(plan))["Query Text"]:  # the driver asks for types
            told.append(about)

    monkeypatch.setattr(asyncpg.Connection, "_process_log_message", listen)
    return told


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def rows_of(node: dict[str, Any]) -> float:
    """Give how many rows a node looked at."""
    looked_at = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(node.get(name, 0) for name in looked_at) * node["Actual Loops"]


def scans(plan: dict[str, Any]) -> set[str]:
    """Give what a plan reads from its beginning, or reads too much of."""
    found = set()
    for node in nodes(plan["Plan"]):
        if "Relation Name" in node and node["Node Type"] == "Seq Scan":
            found.add(f"Seq Scan on {node['Relation Name']}")
        elif rows_of(node) > MOST_ROWS:
            found.add(f"{rows_of(node):.0f} rows by {node['Node Type']}")
    return found


def statements_of(backend: PostgresBackend) -> set[str]:
    """Give the text of each statement that the repositories hold."""
    held = [value for name in REPOSITORIES for value in vars(getattr(backend, name)).values()]
    return {statement.sql for statement in held if isinstance(statement, Statement)}


@pytest.mark.parametrize("plan_for", ["force_custom_plan", "force_generic_plan"])
async def test_no_operation_reads_a_whole_table(
    filled: str, plan_for: str, build: Callable[..., PostgresBackend], clock: FrozenClock, plans: Any
) -> None:
    settings = EXPLAINING | {"plan_cache_mode": plan_for}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    backend = build(database_url=f"{filled}?options={quote(options)}")
    operations = await operations_of(backend, Builder(clock))
    found, played = {}, set()
    for name, operation in operations.items():
        plans.clear()
        await operation()
        played |= {plan["Query Text"] for plan in plans}
        if too_much := set().union(*map(scans, plans)):
            found[name] = too_much
    assert found.keys() <= MAY_SCAN.keys(), found
    statements = statements_of(backend)
    assert len(statements) > 40
    assert statements - played == set()
