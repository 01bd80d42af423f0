"""Databases of people, on each backend, for what is measured below HTTP."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymongo import MongoClient

from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack.plugins.registry import PluginRegistry
from tests.population import Population, fill_mongo, fill_postgres, fill_sqlite

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from regstack.backends.base import Backend
    from tests.servers.databases import PostgresDatabases

BACKENDS = ("sqlite", "postgres", "mongo")


class Database:
    """One database, filled, with a backend over it.

    Attributes:
        url: of the database.
        population: who is in it.
        backend: over it.
        seconds: how long it took to fill.
    """

    def __init__(self, runner: asyncio.Runner, url: str, accounts: int) -> None:
        self.url = url
        self.population = Population(accounts, SystemClock().now())
        registry = PluginRegistry.discover()
        self.backend: Backend = registry.create_backend(RegStackConfig(database_url=url), SystemClock())
        runner.run(self.backend.install_schema())
        began = time.perf_counter()
        if url.startswith("sqlite"):
            fill_sqlite(url.removeprefix("sqlite:///"), self.population)
        elif url.startswith("postgres"):
            runner.run(fill_postgres(url, self.population))
        else:
            fill_mongo(url, self.population)
        self.seconds = time.perf_counter() - began


@contextmanager
def databases(
    kind: str, request: pytest.FixtureRequest, folder: Path, runner: asyncio.Runner, *sizes: int
) -> Iterator[list[Database]]:
    """Make and fill a database of each size, all on the same server."""
    made = []
    try:
        for size in sizes:
            made.append(Database(runner, _empty(kind, request, folder, size), size))
            print(f"\n{size:,} accounts on {kind}: filled in {made[-1].seconds:.1f} s")
        yield made
    finally:
        for each in made:
            runner.run(each.backend.aclose())


def _empty(kind: str, request: pytest.FixtureRequest, folder: Path, size: int) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder}/accounts{size}.db"
    if kind == "postgres":
        made: PostgresDatabases = request.getfixturevalue("postgres_databases")
        return made.empty()
    url: str = request.getfixturevalue("mongo_url")
    with MongoClient[dict[str, Any]](url) as client:
        client.drop_database(f"bench{size}")
    return url.replace("/?", f"/bench{size}?")
