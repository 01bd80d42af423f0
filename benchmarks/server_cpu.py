"""CPU time of a database server on this machine, all its processes and threads together."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from pymongo import MongoClient

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

PROC = Path("/proc")


class ServerCpu:
    """Reads how long a server has run so far; nothing, where Linux does not tell or it runs elsewhere.

    Args:
        main: the server's first process; None for a database in this process.
    """

    def __init__(self, main: int | None) -> None:
        self._main = main

    @classmethod
    def of(cls, runner: asyncio.Runner, url: str) -> ServerCpu:
        """Ask the server which process it is."""
        if url.startswith("sqlite"):
            return cls(None)
        if url.startswith("postgres"):
            return cls(runner.run(_postmaster(url)))
        with MongoClient[dict[str, Any]](url) as client:
            return cls(int(client.admin.command("serverStatus")["pid"]))

    def seconds(self) -> float:
        """Give the CPU seconds since its start of all processes and threads that are there."""
        return sum(_on_cpu(thread) for thread in self._threads()) / 1e9

    def _threads(self) -> Iterator[Path]:
        if self._main is None:
            return
        children = PROC / f"{self._main}/task/{self._main}/children"
        forked = children.read_text().split() if children.exists() else []
        for process in (str(self._main), *forked):
            yield from PROC.glob(f"{process}/task/*/schedstat")


def _on_cpu(thread: Path) -> int:
    with suppress(OSError, IndexError):  # it has just ended
        return int(thread.read_text().split()[0])
    return 0


async def _postmaster(url: str) -> int:
    connection = await asyncpg.connect(url)
    lines: str = await connection.fetchval("SELECT pg_read_file('postmaster.pid')")
    await connection.close()
    return int(lines.split(maxsplit=1)[0])
