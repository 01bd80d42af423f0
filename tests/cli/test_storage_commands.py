"""`regstack migrate`, `create-admin` and `purge`, on a real SQLite file."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def settings(folder: Path, regstack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new application, with cheap hashing."""
    monkeypatch.setenv("REGSTACK_PASSWORD_HASH_PRESET", "insecure-test")
    assert regstack("init", "--yes", "--database-url", "sqlite:///./accounts.db").exit_code == 0


def rows(query: str) -> list[Any]:
    with closing(sqlite3.connect("accounts.db")) as connection:
        return connection.execute(query).fetchall()


def test_migrate_says_what_it_did_and_then_that_nothing_is_left(regstack: Any) -> None:
    first = regstack("migrate")
    assert first.exit_code == 0, first.output
    assert "the schema is at revision" in first.output
    assert len(first.output.splitlines()) > 1
    again = regstack("migrate")
    assert again.exit_code == 0
    assert again.output.rstrip().endswith("as it was")


def test_migrate_check_changes_nothing_and_tells_by_its_status(regstack: Any) -> None:
    before = regstack("migrate", "--check")
    assert before.exit_code == 1
    assert before.output.strip()
    assert regstack("migrate", "--check").exit_code == 1
    regstack("migrate")
    after = regstack("migrate", "--check")
    assert after.exit_code == 0
    assert "up to date" in after.output


def test_create_admin_reads_the_password_from_standard_input(regstack: Any, command: Any) -> None:
    done = command("create-admin", "--email", "root@example.com", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    assert "root@example.com is an administrator" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert rows("SELECT email, is_superuser, is_verified FROM regstack_users") == [("root@example.com", 1, 1)]


def test_create_admin_asks_twice_and_does_not_show_the_password(regstack: Any) -> None:
    done = regstack("create-admin", input=f"root@example.com\n{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    assert rows("SELECT count(*) FROM regstack_users") == [(1,)]


def test_create_admin_may_run_again(regstack: Any) -> None:
    for _ in range(2):
        arguments = ("create-admin", "--email", "root@example.com", "--password-stdin")
        assert regstack(*arguments, input=f"{PASSWORD}\n").exit_code == 0
    assert rows("SELECT count(*) FROM regstack_users") == [(1,)]


def test_who_is_an_administrator_already_is_asked_for_no_password(regstack: Any) -> None:
    arguments = ("create-admin", "--email", "root@example.com")
    assert regstack(*arguments, input=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 0
    again = regstack(*arguments, input="")
    assert again.exit_code == 0, again.output
    assert "already" in again.output


def test_a_wrong_address_is_told_before_a_password_is_asked_for(regstack: Any) -> None:
    done = regstack("create-admin", "--email", "nonsense", input="")
    assert done.exit_code == 1
    assert "Password" not in done.output


def test_the_password_is_never_an_argument(regstack: Any) -> None:
    done = regstack("create-admin", "--email", "root@example.com", "--password", PASSWORD)
    assert done.exit_code == 2
    assert not Path("accounts.db").exists()


@pytest.mark.parametrize(
    ("email", "password"), [("no address", PASSWORD), ("root@example.com", "short"), ("r@example.com", "")]
)
def test_what_is_refused_is_told_in_one_line(regstack: Any, email: str, password: str) -> None:
    done = regstack("create-admin", "--email", email, "--password-stdin", input=f"{password}\n")
    assert done.exit_code == 1
    assert done.output.startswith("regstack: ")
    assert len(done.output.splitlines()) == 1


def test_purge_says_what_it_deleted(regstack: Any) -> None:
    regstack("migrate")
    deleted = json.loads(regstack("purge", "--json").output)["deleted"]
    assert deleted["blacklist"] == deleted["pending"] == 0
    assert "pending: 0 deleted" in regstack("purge").output


@pytest.mark.parametrize(
    "arguments",
    [("migrate",), ("purge",), ("serve",), ("create-admin", "--email", "a@example.com", "--password-stdin")],
)
def test_a_backend_that_is_missing_is_told_in_one_message_by_every_command(
    command: Any, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("REGSTACK_DATABASE_URL", "nosuch://user:s3cret@host/db")
    done = command(*arguments, stdin=f"{PASSWORD}\n")
    assert done.returncode == 1
    assert done.stderr.startswith("regstack: no installed backend takes nosuch://")
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_files_can_be_named(folder: Path, regstack: Any) -> None:
    other = folder / "other"
    other.mkdir()
    (folder / "regstack.toml").rename(other / "a.toml")
    (folder / "regstack.secrets.env").rename(other / "b.env")
    done = regstack("--config", "other/a.toml", "--secrets", "other/b.env", "migrate")
    assert done.exit_code == 0
    assert Path("accounts.db").exists()
    missing = regstack("-c", "nowhere.toml", "migrate")
    assert missing.exit_code == 1
    assert "there is no file 'nowhere.toml'" in missing.output
