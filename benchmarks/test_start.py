"""What starting costs: CPU of new processes, from their first instruction to their end."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rounds import Spread, in_turns, ratio
from benchmarks.server import ROOT, Application

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.figures import Figures
    from benchmarks.running import Running

BIN = Path(sys.executable).parent
GOALS = {"SQLite": "≤ 1.9", "PostgreSQL": "≤ 1.9", "MongoDB": "≤ 1.45"}
SQL, MONGO = "SQLAlchemy's import costs more than FastAPI's", "PyMongo's import"
WHY = {"SQLite": SQL, "PostgreSQL": SQL, "MongoDB": MONGO}
SETTINGS = "pydantic-settings alone takes most of it"
TWO_MODELS = """
from pydantic import BaseModel
class One(BaseModel): id: int; name: str
class Two(BaseModel): one: One; others: list[One]
"""


def cpu_of(command: Sequence[str | Path]) -> Callable[[], float]:
    """Measure the CPU seconds of a process that finds what an earlier one compiled."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def run() -> float:
        before = used()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        return used() - before

    return run


def test_imports(figures: Figures) -> None:
    taken = in_turns(
        {
            "nothing": cpu_of([sys.executable, "-c", "pass"]),
            "models": cpu_of([sys.executable, "-c", TWO_MODELS]),
            "import regstack, and its configuration": cpu_of(
                [sys.executable, "-c", "from regstack import RegStackConfig; RegStackConfig()"]
            ),
            "regstack doctor --list-backends": cpu_of([BIN / "regstack", "doctor", "--list-backends"]),
        }
    )
    nothing, models = taken.pop("nothing"), taken.pop("models")
    goals = iter(("≤ 150", "≤ 250, aim 160"))
    idle = Spread.of(1000 * seconds for seconds in nothing).value
    for name, rounds in taken.items():
        over_models = ratio(rounds, models).value
        figures.add(
            "start: CPU of the process",
            name,
            **Spread.of(1000 * seconds for seconds in rounds)._asdict(),
            goal=next(goals),
            unit="ms",
            note=f"{over_models:.2f} × pydantic with two models; an interpreter alone takes {idle:.0f} ms",
            why=SETTINGS,
        )


def test_from_nothing_to_the_first_answer(figures: Figures, running: Running) -> None:
    with Application("bare", {}, people=1) as bare:
        servers = {f"regstack on {backend}": server for backend, server in running.ours.items()}
        servers |= {name: server for name, server in running.peers.items() if name.endswith("SQLite")}
        commands = {
            name: [server.python, ROOT / "benchmarks" / "first_answer.py", server.given]
            for name, server in ({"bare": bare} | servers).items()
        }
        taken = in_turns({name: cpu_of(command) for name, command in commands.items()})
    floor = taken.pop("bare")
    for name, rounds in taken.items():
        backend = name.removeprefix("regstack on ")
        imported = json.loads(subprocess.check_output(commands[name])) if backend in GOALS else []
        figures.add(
            "start: CPU from nothing to the first answer, over that of a bare FastAPI application",
            name,
            **ratio(rounds, floor)._asdict(),
            goal=GOALS.get(backend, ""),
            note="the schema is current, and Alembic was imported" if "alembic" in imported else "",
            why=WHY.get(backend, ""),
        )
