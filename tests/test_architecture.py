"""The tree is what docs/architecture.md draws, and the arrows between its rooms are held."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]

PLANTS = {
    "An arrow never points upwards": ("regstack/models/user.py", "import regstack.auth.keys"),
    "Routers and services see repositories, never a backend": (
        "regstack/services/login.py",
        "import regstack.backends.base",
    ),
    "Routers go through services": ("regstack/routers/account.py", "import regstack.backends.protocols"),
    "Only the SQL kit and the plugins know a driver": ("regstack/services/login.py", "import sqlite3"),
    "The web framework stays in the upper rooms": ("regstack/services/login.py", "import fastapi"),
    "Pydantic works at the edges": ("regstack/models/user.py", "import pydantic"),
    "Plugins use only what a third party may use": (
        "regstack_sqlite/planted.py",
        "import regstack.auth.passwords",
    ),
    "importlib_metadata has one importer": ("regstack/auth/keys.py", "import importlib_metadata"),
}


def rooms() -> list[str]:
    """The paths in the first column of the page's table, as modules below `regstack`."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition("| room |")[2].partition("\n\n")[0]
    found = []
    for row in table.splitlines()[2:]:
        folder = ""
        for path in re.findall(r"`([\w./]+)`", row.split("|")[1]):
            if path.startswith("regstack/"):
                folder = path.rpartition("/")[0] if path.endswith(".py") else ""
            found.append(path if path.startswith("regstack/") else f"{folder}/{path}")
    return found


def test_every_room_on_the_page_exists() -> None:
    assert rooms()
    assert [room for room in rooms() if not (ROOT / room).exists()] == []


def test_every_part_of_the_core_is_a_room_on_the_page() -> None:
    named = {room.split("/")[1] for room in rooms()}
    parts = {
        path.name
        for path in (ROOT / "regstack").iterdir()
        if (path.is_dir() and path.name != "__pycache__")
        or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert parts == named


def test_every_room_is_one_of_the_layers() -> None:
    layers = [
        module for layer in CONTRACTS[0]["layers"] for module in re.split(r"\s*[|:]\s*", layer) if module
    ]
    named = [room.removesuffix("/").removesuffix(".py").replace("/", ".") for room in rooms()]
    assert set(named) <= set(layers)


def test_every_contract_has_a_planted_violation() -> None:
    assert list(PLANTS) == [contract["name"] for contract in CONTRACTS]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, in a place where they may be spoilt."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "regstack", folder / "regstack", ignore=ignored)
    for plugin in (ROOT / "plugins").glob("*/regstack_*"):
        shutil.copytree(plugin, folder / plugin.name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def broken_contracts(folder: Path) -> set[str]:
    """Run import-linter on a copy and give the names of the contracts that do not hold."""
    script = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert "Contracts:" in run.stdout, run.stdout + run.stderr
    return set(re.findall(r"^(.+) BROKEN(?: |$)", run.stdout, re.MULTILINE))


def test_the_sources_keep_every_contract(copy: Path) -> None:
    assert broken_contracts(copy) == set()


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_import_is_found_by_its_contract(name: str, copy: Path) -> None:
    path, statement = PLANTS[name]
    file = copy / path
    before = file.read_text("utf-8") if file.exists() else None
    file.write_text(f"{before or ''}\n{statement}\n", "utf-8")
    try:
        assert name in broken_contracts(copy)
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, "utf-8")
