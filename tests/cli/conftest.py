"""The command line, in this process and as a real command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from regstack.cli.commands import make_app

COMMAND = str(Path(sys.executable).parent / "regstack")


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes that tests start keep bytecode, so that only the first one compiles."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, bytecode: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, without settings in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(bytecode))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for name in list(os.environ):
        if name.startswith("REGSTACK_"):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def regstack() -> Callable[..., object]:
    """Run a command in this process."""

    def run(*arguments: str, input: str | None = None) -> object:  # noqa: A002 - as CliRunner calls it
        return CliRunner().invoke(make_app(), list(arguments), input=input)

    return run


@pytest.fixture
def command(folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the installed command in a process of its own."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run
