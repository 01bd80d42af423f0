"""`regstack init`."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from regstack import RegStackConfig

WITH_PASSWORD = "postgresql+asyncpg://user:p$w{HOME}'\\ä@db.example/accounts"


def test_the_files_it_writes_load_again(regstack: Any) -> None:
    name = 'Fünf "Häuser" \\ 😀 \x7f'
    done = regstack("init", "--yes", "--app-name", name, "--base-url", "https://app.example")
    assert done.exit_code == 0, done.output
    config = RegStackConfig.load()
    assert (config.app_name, config.base_url) == (name, "https://app.example")
    assert config.enable_ui_router
    assert config.jwt_secret is not None
    assert len(config.jwt_secret.get_secret_value()) >= 43


def test_each_run_generates_another_key(regstack: Any) -> None:
    for directory in ("one", "two"):
        assert regstack("init", "--yes", "--directory", directory).exit_code == 0
    one, two = (Path(directory, "regstack.secrets.env").read_text() for directory in ("one", "two"))
    assert one != two


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_the_secrets_file_is_private_whatever_the_umask(folder: Path, command: Any) -> None:
    before = os.umask(0)
    try:
        assert command("init", "--yes").returncode == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "regstack.secrets.env").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "regstack.toml").stat().st_mode) == 0o644


def test_no_output_and_no_public_file_holds_a_secret(folder: Path, regstack: Any) -> None:
    done = regstack("init", "--yes", "--database-url", WITH_PASSWORD)
    assert done.exit_code == 0, done.output
    key = re.search(r"JWT_SECRET='([^']+)'", (folder / "regstack.secrets.env").read_text())
    assert key
    public = done.output + (folder / "regstack.toml").read_text()
    assert key[1] not in public
    assert "p$w" not in public
    assert "p%24w" not in public


def test_a_database_url_with_a_password_survives_in_the_secrets_file(regstack: Any) -> None:
    regstack("init", "--yes", "--database-url", WITH_PASSWORD)
    loaded = RegStackConfig.load().database_url.get_secret_value()
    assert loaded == WITH_PASSWORD.replace("$", "%24")


def test_a_database_url_without_a_password_is_public(folder: Path, regstack: Any) -> None:
    regstack("init", "--yes", "--database-url", "sqlite:///./x.db")
    assert 'database_url = "sqlite:///./x.db"' in (folder / "regstack.toml").read_text()
    assert RegStackConfig.load().database_url.get_secret_value() == "sqlite:///./x.db"


@pytest.mark.parametrize("existing", ["regstack.toml", "regstack.secrets.env"])
def test_it_refuses_to_overwrite_and_says_which_file(folder: Path, command: Any, existing: str) -> None:
    (folder / existing).write_text("precious")
    done = command("init", "--yes")
    assert done.returncode == 1
    assert existing in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in folder.iterdir()] == [existing]
    assert (folder / existing).read_text() == "precious"


def test_it_does_not_write_through_a_dangling_link(folder: Path, regstack: Any) -> None:
    (folder / "regstack.secrets.env").symlink_to(folder / "elsewhere")
    assert regstack("init", "--yes").exit_code == 1
    assert not (folder / "elsewhere").exists()


def test_force_moves_what_is_there_aside_and_never_loses_a_key(folder: Path, regstack: Any) -> None:
    keys = []
    for _ in range(3):
        done = regstack("init", "--yes", "--force")
        assert done.exit_code == 0, done.output
        keys.append((folder / "regstack.secrets.env").read_text())
    assert (folder / "regstack.secrets.env.1.bak").read_text() == keys[0]
    assert (folder / "regstack.secrets.env.2.bak").read_text() == keys[1]
    assert stat.S_IMODE((folder / "regstack.secrets.env.1.bak").stat().st_mode) == 0o600
    assert "regstack.secrets.env.2.bak" in done.output
    assert len(set(keys)) == 3


def test_it_asks_for_what_is_not_given(regstack: Any) -> None:
    answers = "My notes\nhttps://notes.example\n\nn\npigeon\nsmtp\nmail.example\n\nnotes@notes.example\n"
    done = regstack("init", input=answers)
    assert done.exit_code == 0, done.output
    assert "write console or smtp" in done.output
    config = RegStackConfig.load()
    assert (config.app_name, config.base_url) == ("My notes", "https://notes.example")
    assert not config.enable_ui_router
    assert (config.email.backend, config.email.smtp_host) == ("smtp", "mail.example")
    assert config.email.from_address == "notes@notes.example"
    assert config.email.smtp_username is None


def test_an_smtp_password_goes_to_the_secrets_file(folder: Path) -> None:
    from regstack.cli.settings_writer import SettingsWriter

    email = {
        "backend": "smtp",
        "smtp_host": "mail.example",
        "smtp_username": "u",
        "smtp_password": "p#'\\ \" w",
    }
    SettingsWriter(folder).write({"app_name": "x", "email": email, "jwt_secret": "s" * 43})
    assert "smtp_password" not in (folder / "regstack.toml").read_text()
    password = RegStackConfig.load().email.smtp_password
    assert password is not None
    assert password.get_secret_value() == "p#'\\ \" w"


def test_a_wrong_answer_writes_nothing(folder: Path, command: Any) -> None:
    done = command("init", "--yes", "--base-url", "not a url")
    assert done.returncode == 1
    assert done.stderr.startswith("regstack: base_url: write a whole URL")
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_written_to_is_told_in_one_line(folder: Path, command: Any) -> None:
    (folder / "file").write_text("")
    done = command("init", "--yes", "--directory", "file/below")
    assert done.returncode == 1
    assert "cannot write file" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_secrets_file_cannot_hold_is_refused_before_anything_is_written(folder: Path) -> None:
    from regstack.cli.settings_writer import SettingsWriter
    from regstack.errors import ConfigurationError

    email = {"backend": "smtp", "smtp_host": "h", "smtp_password": "with ${HOME}"}
    with pytest.raises(ConfigurationError, match="REGSTACK_EMAIL__SMTP_PASSWORD in the environment"):
        SettingsWriter(folder).write({"email": email, "jwt_secret": "s" * 43})
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:hunter#2secret@db/app",
        "postgresql://app:hunter/2secret@db/app",
        "postgresql://app:hunter?2secret@db/app",
        "postgresql://db/app?passwd=hunter2secret",
        "mongodb://db/app?authMechanismProperties=AWS_SESSION_TOKEN:hunter2secret",
    ],
)
def test_a_url_that_may_hold_a_secret_in_any_place_is_written_to_the_secrets_file(regstack, url) -> None:
    assert regstack("init", "--yes", "--database-url", url).exit_code == 0
    assert "2secret" not in Path("regstack.toml").read_text("utf-8")
    assert "2secret" in Path("regstack.secrets.env").read_text("utf-8")


def test_a_developer_sees_mailed_links_and_an_operator_does_not(regstack: Any) -> None:
    assert regstack("init", "--yes").exit_code == 0
    assert RegStackConfig.load("regstack.toml").email.log_bodies
    assert (
        regstack("init", "--yes", "--directory", "live", "--base-url", "https://app.example").exit_code == 0
    )
    assert not RegStackConfig.load("live/regstack.toml").email.log_bodies
