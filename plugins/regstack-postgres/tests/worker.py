"""One of several processes that use a database: `worker.py COMMAND URL [ARGUMENT …]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack_postgres.backend import PostgresBackend


async def install(url: str, schema: str = "", prefix: str = "regstack_", scripts: str = "") -> None:
    """Install the schema together with others; print what came of it."""
    config = RegStackConfig(database_url=url, db_schema=schema or None, table_prefix=prefix)
    backend = PostgresBackend(config=config, clock=SystemClock())
    if scripts:
        backend.scripts = Path(scripts)
    print("ready", flush=True)
    sys.stdin.readline()
    report = await backend.install_schema()
    print(report.revision, len(report.changes))
    await backend.aclose()


async def imports(url: str) -> None:
    """Use a schema that is current; print which of the heavy modules were imported."""
    backend = PostgresBackend(config=RegStackConfig(database_url=url), clock=SystemClock())
    print("ready", flush=True)
    sys.stdin.readline()
    await backend.install_schema()
    print(*sorted({name.partition(".")[0] for name in sys.modules} & {"alembic", "tenacity", "mako"}))
    await backend.aclose()


if __name__ == "__main__":
    asyncio.run({"install": install, "imports": imports}[sys.argv[1]](*sys.argv[2:]))
