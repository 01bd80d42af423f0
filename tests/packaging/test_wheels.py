"""The wheels hold what they need, ask for what they need, and work without this repository."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from regstack import __version__

PLUGINS = {"regstack-sqlite": "aiosqlite", "regstack-postgres": "asyncpg", "regstack-mongo": "beanie"}
URLS = {
    "sqlite": "sqlite:///accounts.db",
    "postgres": "postgresql://nobody@127.0.0.1:1/none",
    "mongo": "mongodb://127.0.0.1:1/none",
}
BROUGHT = {
    "sqlite": {"aiosqlite", "alembic", "sqlalchemy"},
    "postgres": {"alembic", "asyncpg", "sqlalchemy"},
    "mongo": {"beanie", "pymongo"},
}
DRIVERS = {"sqlalchemy", "alembic", "aiosqlite", "asyncpg", "psycopg", "pymongo", "motor", "beanie"}


def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def required(wheel: Path) -> set[str]:
    """Names of what a wheel requires without any extra."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = re.findall(r"^Requires-Dist: (.+)$", archive.read(name).decode(), re.MULTILINE)
    return {re.split(r"[^\w.-]", line)[0].lower() for line in lines if "extra ==" not in line}


def test_the_core_wheel_holds_types_templates_static_files_and_migrations(wheels: dict[str, Path]) -> None:
    names = contents(wheels["regstack"])
    assert "regstack/py.typed" in names
    here = Path(__file__).parents[2]
    for folder in ("regstack/ui/templates", "regstack/ui/static", "regstack/email/templates"):
        files = {str(path.relative_to(here)) for path in (here / folder).rglob("*.*") if path.is_file()}
        assert files
        assert files <= names
    assert any(re.fullmatch(r"regstack/backends/sql/migrations/versions/\w+\.py", name) for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if not name.startswith(("regstack/", f"regstack-{__version__}."))]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugins_wheel_holds_its_types_and_nothing_of_core(plugin: str, wheels: dict[str, Path]) -> None:
    names, package = contents(wheels[plugin]), plugin.replace("-", "_")
    assert {f"{package}/py.typed", f"{package}/plugin.py"} <= names
    assert not [name for name in names if not name.startswith((f"{package}/", f"{package}-"))]


def test_the_core_wheel_asks_for_no_database_library(wheels: dict[str, Path]) -> None:
    assert not required(wheels["regstack"]) & DRIVERS
    assert {"fastapi", "pluggy", "pydantic"} <= required(wheels["regstack"])
    for plugin, driver in PLUGINS.items():
        assert {"regstack", driver} <= required(wheels[plugin])


@pytest.mark.parametrize("kinds", [*((kind,) for kind in URLS), tuple(URLS)], ids="+".join)
def test_an_environment_holds_the_drivers_of_the_backends_that_were_asked_for_and_lists_just_those(
    kinds: tuple[str, ...], make_environment: Any
) -> None:
    environment = make_environment(f"regstack[{','.join(kinds)}]")
    script = (
        "import sys, regstack\n"
        "from importlib.util import find_spec\n"
        f"for url in {[URLS[kind] for kind in kinds]!r}:\n"
        "    config = regstack.RegStackConfig(database_url=url, jwt_secret='k' * 40)\n"
        "    print(regstack.RegStack(config).backend.kind)\n"
        f"print(*(name for name in {sorted(DRIVERS)!r} if find_spec(name)))"
    )
    *built, drivers = environment.python("-W", "error", "-c", script).splitlines()
    assert built == list(kinds)
    assert set(drivers.split()) == set().union(*(BROUGHT[kind] for kind in kinds))
    report = json.loads(environment.command("regstack", "doctor", "--list-backends", "--json"))
    states = {backend["name"]: (backend["state"], backend["distribution"]) for backend in report["backends"]}
    assert states == {"memory": ("ok", "regstack")} | {kind: ("ok", f"regstack-{kind}") for kind in kinds}


def test_the_main_job_runs_from_the_wheels_alone(make_environment: Any) -> None:
    environment = make_environment("regstack[sqlite]", "httpx2")
    script = (Path(__file__).parent / "main_job.py").read_text()
    *modules, version = environment.python("-W", "error", "-c", script).split()
    assert len(modules) == 2
    for module in modules:
        assert Path(module).is_relative_to(environment.folder / "venv")
    assert version == __version__
    assert (environment.folder / "accounts.db").exists()


def test_core_alone_says_which_backend_to_install(make_environment: Any) -> None:
    environment = make_environment("regstack")
    script = (
        "import sys, regstack\n"
        "try: regstack.RegStack(regstack.RegStackConfig(jwt_secret='k' * 40))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        f"print(sorted({DRIVERS!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    told, drivers = environment.python("-c", script).splitlines()
    assert told.startswith("BackendNotInstalled no installed backend takes sqlite+aiosqlite://")
    assert 'pip install "regstack[sqlite]>=1.0.0.dev0"' in told
    assert drivers == "[]"
