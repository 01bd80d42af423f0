"""Wheels of this repository, and an environment with nothing in it but what they ask for.

Regstack's own wheels are built here. The wheels of what they depend on are packed again from the
running environment, so nothing is downloaded, and what a wheel forgets to declare is missing.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECTS = (ROOT, *sorted((ROOT / "plugins").glob("regstack-*")))
UV = str(Path(sys.executable).parent / "uv")
DROPPED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed, without settings of whoever runs the tests."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "REGSTACK_", "PYTHON"))
    }
    environ.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and an empty folder to work in."""

    folder: Path

    def python(self, *arguments: str) -> str:
        """Run its Python, apart from any other, and give what it prints."""
        return run(str(self.folder / "venv/bin/python"), "-I", *arguments, folder=self.folder).stdout

    def command(self, name: str, *arguments: str) -> str:
        """Run one of its commands, and give what it prints."""
        return run(str(self.folder / "venv/bin" / name), *arguments, folder=self.folder).stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of core and of the plugins, by distribution."""
    folder = tmp_path_factory.mktemp("dist")
    for project in PROJECTS:
        # The backend comes from this environment; isolation would download it.
        run(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable,
            "--out-dir", str(folder), str(project), folder=folder)  # fmt: skip
    return {path.name.partition("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}


@pytest.fixture(scope="session")
def make_environment(
    wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Environment]:
    """Make an environment and install requirements into it, with no index."""
    house = tmp_path_factory.mktemp("wheelhouse")
    cache = tmp_path_factory.mktemp("cache")

    def make(*requirements: str) -> Environment:
        for found in closure(requirements, wheels):
            pack(found, house)
        folder = tmp_path_factory.mktemp("environment")
        run(UV, "venv", "--quiet", "--no-config", "--python", sys.executable, "venv", folder=folder)
        run(UV, "pip", "install", "--no-config", "--no-index", "--cache-dir", str(cache),
            "--find-links", str(next(iter(wheels.values())).parent), "--find-links", str(house),
            "--python", str(folder / "venv/bin/python"), *requirements, folder=folder)  # fmt: skip
        return Environment(folder)

    return make


def closure(requirements: Iterable[str], wheels: dict[str, Path]) -> list[Distribution]:
    """Find what the requirements need of the running environment, regstack's own left out."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(requirement) for requirement in requirements]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # the installer will say so
        if name not in wheels:
            found[name] = installed
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                needs = map(Requirement, requires(name, installed, wheels))
                waiting += [
                    need for need in needs if not need.marker or need.marker.evaluate({"extra": extra})
                ]
    return list(found.values())


def requires(name: str, installed: Distribution, wheels: dict[str, Path]) -> list[str]:
    """What a distribution requires: a wheel's own word for regstack's, not the repository's."""
    if name in wheels:
        return re.findall(r"^Requires-Dist: (.+)$", metadata(wheels[name]), re.MULTILINE)
    return installed.requires or []


def metadata(wheel: Path) -> str:
    """The metadata inside a wheel, without the description."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name).decode().partition("\n\n")[0]


def pack(installed: Distribution, house: Path) -> None:
    """Pack an installed distribution into a wheel again."""
    tags = re.findall(r"^Tag: (\S+)$", installed.read_text("WHEEL") or "", re.MULTILINE)
    tag = "-".join(
        ".".join(sorted(set(part))) for part in zip(*(tag.split("-") for tag in tags), strict=True)
    )
    name = re.sub(r"[-_.]+", "_", installed.metadata["Name"])
    path = house / f"{name}-{installed.version}-{tag}.whl"
    if path.exists():
        return
    files = [PurePosixPath(file) for file in installed.files or ()]
    inside = [file for file in files if not {"..", "__pycache__"} & set(file.parts)]
    home = next(file.parent for file in inside if file.match("*.dist-info/METADATA"))
    record = []
    with zipfile.ZipFile(path, "w") as archive:
        for file in inside:
            if file.parent == home and file.name in DROPPED:
                continue
            content = Path(str(installed.locate_file(str(file)))).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            archive.writestr(str(file), content)
            record.append(f'"{file}",sha256={digest},{len(content)}')
        archive.writestr(f"{home}/RECORD", "\n".join([*record, f'"{home}/RECORD",,', ""]))
