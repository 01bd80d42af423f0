"""What all tests share: hypothesis profiles, the event loop, real servers, a header that says what runs."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.servers.mongo import MongoReplicaSet
from tests.servers.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.databases import MongoDatabases, PostgresDatabases
    from tests.servers.oidc import MockProvider, NodeProvider

# A failure in CI must come back at the next run of the same code, on a machine of any speed.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, and let fixtures of any scope be asynchronous."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give the URL of a PostgreSQL server's database `postgres`, in which databases may be made."""
    if running := os.environ.get("REGSTACK_TEST_POSTGRES_URL"):
        yield running
    else:
        with PostgresServer() as server:
            yield server.url


@pytest.fixture(scope="session")
def postgres_databases(postgres_url: str) -> Iterator[PostgresDatabases]:
    """Give what makes databases on the PostgreSQL server."""
    from tests.servers.databases import PostgresDatabases  # noqa: PLC0415 - few tests need it

    databases = PostgresDatabases(postgres_url)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def mongo_url() -> Iterator[str]:
    """Give the URL of a MongoDB replica set of one node, without a database."""
    if running := os.environ.get("REGSTACK_TEST_MONGO_URL"):
        yield running
    else:
        with MongoReplicaSet() as servers:
            yield servers.url


@pytest.fixture(scope="session")
def mongo_databases(mongo_url: str) -> Iterator[MongoDatabases]:
    """Give what empties databases on the MongoDB server."""
    from tests.servers.databases import MongoDatabases  # noqa: PLC0415 - few tests need it

    databases = MongoDatabases(mongo_url)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def oidc_provider() -> Iterator[NodeProvider]:
    """Give a running OpenID provider, the npm package oidc-provider."""
    from tests.servers.oidc import NodeProvider  # noqa: PLC0415 - few tests need it

    with NodeProvider() as server:
        yield server


@pytest.fixture(scope="session")
def oidc_mock() -> Iterator[MockProvider]:
    """Give a second OpenID provider by other people, the PyPI package oidc-provider-mock."""
    from tests.servers.oidc import MockProvider  # noqa: PLC0415 - few tests need it

    with MockProvider() as server:
        yield server


def pytest_report_header() -> list[str]:
    """Say which interpreter, servers and backends the tests run on."""
    backends = sorted(
        f"{point.name} ({point.dist.name} {point.dist.version})" if point.dist else point.name
        for point in entry_points(group="regstack.backends")
    )
    return [
        f"backends: {', '.join(backends) or 'none'}",
        f"servers: SQLite {sqlite3.sqlite_version}, in process; "
        f"PostgreSQL at {os.environ.get('REGSTACK_TEST_POSTGRES_URL', 'a port of its own')}; "
        f"MongoDB at {os.environ.get('REGSTACK_TEST_MONGO_URL', 'a port of its own')}; "
        f"Python {platform.python_version()}",
    ]
