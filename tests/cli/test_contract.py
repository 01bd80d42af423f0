"""`regstack contract`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regstack.cli import contract


def test_it_runs_the_suite_in_tables_of_its_own_and_leaves_none(
    command: Callable[..., Any], folder: Path
) -> None:
    done = command(
        "contract", f"sqlite:///{folder}/a.db", "--clause", "BLK-01", "--seed", "7", "--report", "r.json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BLK-01" in done.stdout
    assert "USR-01" not in done.stdout, "a clause that was not asked for has no row"
    report = json.loads((folder / "r.json").read_text())
    assert (report["backend"], report["seed"], report["verdict"]) == ("sqlite", 7, "partial")
    with sqlite3.connect(folder / "a.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()


def test_without_a_url_it_takes_the_one_of_the_settings(command: Callable[..., Any], folder: Path) -> None:
    (folder / "regstack.toml").write_text(f'database_url = "sqlite:///{folder}/b.db"\n')
    done = command("contract", "--clause", "BLK-01")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "b.db").exists()


def test_its_status_is_the_suites(command: Callable[..., Any]) -> None:
    mutants = Path(__file__).parents[1] / "contract" / "mutants.py"
    done = command("contract", "--harness", f"{mutants}:RevokesTwice", "--clause", "BLK-01")
    assert done.returncode == 1
    assert "True for the first caller only" in done.stdout


def test_an_unknown_scheme_is_told_in_words(command: Callable[..., Any]) -> None:
    done = command("contract", "acme://nowhere:s3cret-word@host/db", "--clause", "BLK-01")
    assert done.returncode != 0
    assert "no installed backend takes acme:// URLs" in done.stdout + done.stderr
    assert "s3cret-word" not in done.stdout + done.stderr


def test_a_url_and_a_harness_contradict_each_other(regstack: Callable[..., Any]) -> None:
    done = regstack("contract", "sqlite://", "--harness", "a:B")
    assert done.exit_code == 1
    assert "not both" in done.output


def test_without_pytest_it_says_what_to_install(
    regstack: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "find_spec", lambda name: None if name == "pytest" else object())
    done = regstack("contract", "sqlite://")
    assert done.exit_code == 1
    assert "needs pytest: install regstack with the extra `testing`" in done.output


@pytest.mark.parametrize("harness", ["nowhere.py:X", "no.such.module:X", "os:path"])
def test_a_harness_that_is_none_is_told_in_one_message(regstack: Callable[..., Any], harness: str) -> None:
    done = regstack("contract", "--harness", harness)
    assert done.exit_code == 1
    assert done.output.startswith("regstack: ")
    assert repr(harness) in done.output


def test_a_clause_that_does_not_exist_is_told_with_those_that_do(regstack: Callable[..., Any]) -> None:
    done = regstack("contract", "sqlite://", "--clause", "NOPE-1")
    assert done.exit_code == 1
    assert "there is no clause NOPE-1; clauses are COM-01" in done.output


def test_a_database_that_cannot_be_reached_is_told_in_one_message(regstack: Callable[..., Any]) -> None:
    done = regstack("contract", "postgresql://u:s3cret-word@127.0.0.1:1/x")
    assert done.exit_code == 1
    assert "cannot be reached" in done.output
    assert len(done.output.splitlines()) == 1
    assert "s3cret-word" not in done.output
