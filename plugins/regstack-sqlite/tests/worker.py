"""One of several processes that use a database: `worker.py COMMAND URL [ARGUMENT …]`."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack_sqlite.backend import SqliteBackend


def wait_for_start() -> None:
    """Say that all is imported, and wait for the others."""
    print("ready", flush=True)
    sys.stdin.readline()


async def install(backend: SqliteBackend, scripts: str | None = None) -> None:
    if scripts is not None:
        backend.scripts = Path(scripts)
    wait_for_start()
    report = await backend.install_schema()
    print(report.revision, len(report.changes))


async def claim(backend: SqliteBackend, tasks: str, rounds: str) -> None:
    """Count many attempts on one key at once; print the counts that came."""
    now = backend.clock.now().replace(year=2026, month=5, day=4, hour=12)
    wait_for_start()

    async def run() -> list[int]:
        return [
            await backend.attempts.record_failure("key", window=timedelta(days=1), now=now)
            for _ in range(int(rounds))
        ]

    for counts in await asyncio.gather(*(run() for _ in range(int(tasks)))):
        print(*counts)


async def imports(backend: SqliteBackend) -> None:
    """Install the schema, and print which of the heavy modules were imported."""
    await backend.install_schema()
    print(*sorted({name.partition(".")[0] for name in sys.modules} & {"alembic", "tenacity", "mako"}))


async def main(command: str, url: str, *arguments: str) -> None:
    # Many write at once, on a disk that may be slow.
    config = RegStackConfig(database_url=url, db_timeout_seconds=60)
    backend = SqliteBackend(config=config, clock=SystemClock())
    commands = {"install": install, "claim": claim, "imports": imports}
    try:
        await commands[command](backend, *arguments)
    finally:
        await backend.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
