"""The page that keeps a run's figures: `RESULTS.md`."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.figures import Figures

PACKAGES = (
    "fastapi", "starlette", "pydantic", "uvicorn", "joserfc", "argon2-cffi", "SQLAlchemy", "aiosqlite",
    "asyncpg", "pymongo",
)  # fmt: skip


def page(figures: Figures, *, minutes: float) -> str:
    """Write the page.

    Args:
        figures: what was measured.
        minutes: how long that took.
    """
    packages = ", ".join(f"{name} {number}" for name in PACKAGES if (number := installed(name)))
    servers = ", ".join(f"{name} {number}" for name, number in figures.versions.items())
    rounds = os.environ.get("REGSTACK_BENCH_ROUNDS")
    command = f"REGSTACK_BENCH_ROUNDS={rounds} make bench" if rounds else "make bench"
    lines = [
        "# Results",
        "",
        "Written by `make bench`; [README.md](README.md) says how to read a figure and how it was taken.",
        "",
        f"- Command: `{command}`, {minutes:.1f} minutes",
        f"- Machine: {os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        f"- Python {platform.python_version()}, {packages}",
        *([f"- {servers}"] if servers else []),
        "",
        *figures.markdown(),
    ]
    return "\n".join(lines) + "\n"


def installed(name: str) -> str | None:
    """Give the version of a package, if it is there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
