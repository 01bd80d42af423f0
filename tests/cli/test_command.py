"""What is the same for every command."""

from __future__ import annotations

from typing import Any

import pytest

from regstack import __version__

COMMANDS = ("init", "doctor", "migrate", "create-admin", "purge", "serve")


def test_the_help_names_every_command(command: Any) -> None:
    done = command("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_each_of_its_options(regstack: Any, name: str) -> None:
    done = regstack(name, "--help")
    assert done.exit_code == 0
    assert "Usage: " in done.output


def test_the_version_is_told(command: Any) -> None:
    assert command("--version").stdout.strip() == f"regstack {__version__}"


def test_without_a_command_the_help_is_shown(command: Any) -> None:
    done = command()
    assert "Commands:" in done.stdout + done.stderr
