"""Collects the figures of a run, prints their table and writes it down.

A figure in seconds says more about the machine than about the code, so nearly all are ratios of
things measured in the same run, and nothing asserts one.
"""

from __future__ import annotations

import sqlite3
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from benchmarks.figures import Figures
from benchmarks.results import page
from benchmarks.running import Running
from benchmarks.server import LIBRARIES
from tests.conftest import (  # type: ignore[attr-defined]
    database_url,  # noqa: F401 - a fixture, as the others
    make_world,  # noqa: F401
    migrated_file,  # noqa: F401
    plugins,  # noqa: F401
)
from tests.http.test_round_trips import meter  # noqa: F401 - a fixture
from tests.servers.databases import PostgresDatabases
from tests.servers.mongo import MongoReplicaSet
from tests.servers.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_figures = pytest.StashKey[Figures]()
_began = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file to write the table to."""
    parser.addoption("--results", type=Path, help="Markdown file that takes the table of figures.")


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the figures."""
    config.stash[_figures] = Figures()
    config.stash[_began] = time.monotonic()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Give what takes measured figures into the table at the end of the run."""
    return pytestconfig.stash[_figures]


@pytest.fixture(scope="session")
def postgres_url(figures: Figures) -> Iterator[str]:
    """Give the URL of a PostgreSQL server that waits for its disk, as a real one does."""
    with PostgresServer(durable=True) as server:
        figures.versions["PostgreSQL"] = server.sql("SHOW server_version")
        yield server.url


@pytest.fixture(scope="session")
def mongo_url(figures: Figures) -> Iterator[str]:
    """Give the URL of a MongoDB replica set of one node, without a database."""
    with MongoReplicaSet() as servers:
        with MongoClient[dict[str, Any]](servers.url) as client:
            figures.versions["MongoDB"] = str(client.server_info()["version"])
        yield servers.url


@pytest.fixture(scope="session")
def new_url(
    figures: Figures, postgres_url: str, mongo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Callable[[], str]]]:
    """Give what makes an empty database and names it, by backend."""
    figures.versions["SQLite"] = sqlite3.sqlite_version
    databases = PostgresDatabases(postgres_url)
    names = iter(range(1000))
    yield {
        "SQLite": lambda: f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('sqlite')}/accounts.db",
        "PostgreSQL": databases.empty,
        "MongoDB": lambda: mongo_url.replace("/?", f"/bench{next(names)}?"),
    }
    databases.close()


@pytest.fixture(scope="session")
def running(figures: Figures, new_url: Mapping[str, Callable[[], str]]) -> Iterator[Running]:
    """Give all servers, up at once."""
    figures.versions.update({each.name: each.version for each in distributions(path=[str(LIBRARIES)])})
    with Running.on(new_url) as servers:
        yield servers


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print all figures of the run, and write them where `--results` says."""
    taken = config.stash[_figures]
    minutes = (time.monotonic() - config.stash[_began]) / 60
    terminalreporter.section("figures: the median of the rounds (lowest to highest)")
    for line in taken.text():
        terminalreporter.write_line(line)
    if path := config.getoption("results"):
        path.write_text(page(taken, minutes=minutes))
        terminalreporter.write_line(f"\nwritten to {path}")
