"""What importing costs, in new interpreters."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.conftest import Compare


def cpu_of(statement: str) -> float:
    """CPU seconds of an interpreter that runs one statement."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    subprocess.run([sys.executable, "-c", statement], check=True)  # noqa: S603 - statements of this file
    return used() - before


def importing(statement: str) -> Callable[[], float]:
    """Measure a statement without the interpreter's own start, which is measured beside it."""
    return lambda: cpu_of(statement) - cpu_of("pass")


def test_imports(compare: Compare) -> None:
    compare(
        "imports",
        floor="import_pydantic",
        import_pydantic=importing("from pydantic import BaseModel"),
        import_fastapi=importing("from fastapi import FastAPI"),
        import_regstack=importing("import regstack"),
        the_settings=importing("from regstack import RegStackConfig"),
        the_facade_with_all_routes=importing("from regstack import RegStack"),
    )
