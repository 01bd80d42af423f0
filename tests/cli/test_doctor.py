"""`regstack doctor`."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from anyio.from_thread import start_blocking_portal

from regstack.models.finding import Finding, Health

PASSWORD = "s3cret-password"


@pytest.fixture
def settings(folder: Path, regstack: Any) -> Any:
    """Write settings that are all well, and change them."""
    assert regstack("init", "--yes", "--base-url", "https://app.example").exit_code == 0
    assert regstack("migrate").exit_code == 0

    def change(lines: str) -> None:
        path = folder / "regstack.toml"
        top, mark, sections = path.read_text().partition("[email]")
        path.write_text(lines + "\n" + top + mark + sections)

    return change


def checks(done: Any) -> dict[str, dict[str, str]]:
    """The report by the checks' names; holds that the exit status counts the failed ones."""
    report = json.loads(done.stdout)
    failed = [check for check in report["checks"] if check["status"] == "failed"]
    assert done.exit_code == report["failed"] == len(failed), done.stdout
    assert all(check["next_step"] or check["name"] == "backend" for check in failed)
    return {check["name"]: check for check in report["checks"]}


def test_all_is_well_on_a_new_application(settings: Any, regstack: Any) -> None:
    done = regstack("doctor", "--json")
    found = checks(done)
    assert done.exit_code == 0
    assert {name for name, check in found.items() if check["status"] != "ok"} == {"email"}
    assert found["email"]["status"] == "warning"
    assert {"configuration", "secret", "secrets file", "base_url", "password hashing"} <= found.keys()
    assert {"plugin sqlite", "backend", "database", "schema"} <= found.keys()


def test_the_report_for_people_says_the_same(settings: Any, regstack: Any) -> None:
    done = regstack("doctor")
    assert done.exit_code == 0
    assert "all is well" in done.stdout
    assert "→ Set email.backend" in done.stdout


def test_the_exit_status_is_the_number_of_failed_checks(folder: Path, command: Any) -> None:
    (folder / "regstack.toml").write_text(
        'base_url = "http://app.example"\npassword_hash_preset = "insecure-test"\n'
    )
    done = command("doctor")
    assert done.returncode == 4  # base_url, hashing, no key, schema not installed
    assert done.stdout.rstrip().endswith("4 failed")


def test_settings_that_do_not_load_are_one_failed_check_and_plugins_are_still_listed(
    folder: Path, regstack: Any
) -> None:
    (folder / "regstack.toml").write_text('jwt_secret = "short-secret"\nno_such_setting = 1\n')
    done = regstack("doctor", "--json")
    found = checks(done)
    assert done.exit_code == 1
    assert "no_such_setting" in found["configuration"]["detail"]
    assert "plugin memory" in found
    assert "short-secret" not in done.stdout


@pytest.mark.parametrize("secret", ["a" * 64, "passwordpasswordpasswordpassword"])
def test_a_secret_that_can_be_guessed_fails(
    settings: Any, regstack: Any, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("REGSTACK_JWT_SECRET", secret)
    done = regstack("doctor", "--json")
    assert checks(done)["secret"]["status"] == "failed"
    assert secret not in done.stdout


def test_a_secrets_file_that_others_may_read_is_warned_about(
    settings: Any, folder: Path, regstack: Any
) -> None:
    (folder / "regstack.secrets.env").chmod(0o644)
    found = checks(regstack("doctor", "--json"))["secrets file"]
    assert (found["status"], found["next_step"]) == ("warning", "chmod 600 regstack.secrets.env")


@pytest.mark.parametrize(
    ("setting", "check", "status"),
    [
        ('base_url = "http://app.example"', "base_url", "failed"),
        ('base_url = "http://localhost:8000"', "base_url", "ok"),
        ('base_url = "http://[::1]:8000"', "base_url", "ok"),
        ('password_hash_preset = "insecure-test"', "password hashing", "failed"),
        ('password_hash_preset = "rfc9106-low"', "password hashing", "ok"),
        ("password_hash_memory_kib = 9216\npassword_hash_time_cost = 4", "password hashing", "ok"),
        ("password_hash_time_cost = 1", "password hashing", "failed"),
        ("rate_limit_disabled = true", "limits", "warning"),
    ],
)
def test_each_setting_is_judged(settings: Any, regstack: Any, setting: str, check: str, status: str) -> None:
    if setting.startswith("base_url"):
        Path("regstack.toml").write_text(setting)
    else:
        settings(setting)
    assert checks(regstack("doctor", "--json"))[check]["status"] == status


LINKS = ("verify_url_template", "password_reset_url_template", "email_change_url_template")
OWN_PAGES = dict.fromkeys(LINKS, "https://app.example/{token}")


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, LINKS),
        ({"verify_url_template": "https://app.example/{token}"}, LINKS[1:]),
        (OWN_PAGES, ()),
        ({"email_link_prefix": "/pages"}, ()),
        ({"email_link_prefix": ""}, ()),
        ({"enable_ui_router": "true"}, ()),
    ],
)
def test_mailed_links_to_pages_that_nobody_serves_are_warned_about(
    regstack: Any, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], missing: tuple[str, ...]
) -> None:
    options = ("--yes", "--no-pages", "--base-url", "https://app.example")
    assert regstack("init", *options).exit_code == regstack("migrate").exit_code == 0
    for name, value in settings.items():
        monkeypatch.setenv(f"REGSTACK_{name.upper()}", value)
    done = regstack("doctor", "--json")
    found = checks(done).get("mailed links")
    assert done.exit_code == 0
    if missing:
        assert found is not None
        assert (found["status"], "enable_ui_router" in found["next_step"]) == ("warning", True)
        assert {name for name in LINKS if name in found["detail"]} == set(missing)
    else:
        assert found is None


def test_a_schema_that_is_not_up_to_date_fails_until_migrated(folder: Path, regstack: Any) -> None:
    regstack("init", "--yes")
    found = checks(regstack("doctor", "--json"))["schema"]
    assert (found["status"], "regstack migrate" in found["next_step"]) == ("failed", True)
    assert regstack("migrate").exit_code == 0
    assert checks(regstack("doctor", "--json"))["schema"]["status"] == "ok"


def test_a_backend_that_is_not_installed_fails_with_what_would_help_and_no_password(
    settings: Any, regstack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGSTACK_DATABASE_URL", f"nosuch://user:{PASSWORD}@db.example/x")
    done = regstack("doctor", "--json")
    assert "no installed backend takes nosuch://" in checks(done)["backend"]["detail"]
    assert PASSWORD not in done.stdout


def test_a_database_that_cannot_be_opened_fails(
    settings: Any, regstack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGSTACK_DATABASE_URL", "sqlite:////no/such/folder/x.db")
    found = checks(regstack("doctor", "--json"))
    assert found["database"]["status"] == "failed"


def test_a_blocked_plugin_is_a_warning_unless_strict(
    settings: Any, regstack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGSTACK_DISABLE_BACKENDS", "memory")
    assert checks(regstack("doctor", "--json"))["plugin memory"]["status"] == "warning"
    monkeypatch.setenv("REGSTACK_STRICT_PLUGINS", "1")
    assert checks(regstack("doctor", "--json"))["plugin memory"]["status"] == "failed"


class Silent:
    """A server that takes connections and never says a word."""

    def __enter__(self) -> int:
        self._socket = socket.create_server(("127.0.0.1", 0))
        port: int = self._socket.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._socket.close()


@pytest.fixture
def smtp_port() -> Iterator[int]:
    """A real SMTP server, without TLS, in a thread of its own."""

    async def start() -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(lambda: SMTP(object()), "127.0.0.1", 0)

    async def stop() -> None:
        server.close()
        await server.wait_closed()

    with start_blocking_portal() as portal:
        server = portal.call(start)
        yield server.sockets[0].getsockname()[1]
        portal.call(stop)


def email(port: int, **more: str) -> str:
    values = {"backend": "smtp", "smtp_host": "127.0.0.1"} | more
    lines = [f'{name} = "{value}"' for name, value in values.items()]
    return "\n".join(["[email]", f"smtp_port = {port}", *lines])


def mail_check(regstack: Any, text: str) -> tuple[dict[str, str], str]:
    path = Path("regstack.toml")
    path.write_text(path.read_text().partition("[email]")[0] + text)
    done = regstack("doctor", "--json")
    return checks(done)["email"], done.stdout


def test_an_smtp_server_is_greeted(settings: Any, regstack: Any, smtp_port: int) -> None:
    found, _ = mail_check(regstack, email(smtp_port) + "\nsmtp_starttls = false")
    assert (found["status"], "unencrypted" in found["detail"]) == ("warning", True)


def test_an_smtp_server_without_the_encryption_that_is_required_fails(
    settings: Any, regstack: Any, smtp_port: int
) -> None:
    assert mail_check(regstack, email(smtp_port))[0]["status"] == "failed"


def test_an_smtp_server_that_does_not_answer_fails_within_the_deadline_without_secrets(
    settings: Any, regstack: Any
) -> None:
    with Silent() as port:
        text = email(port, smtp_username="u", smtp_password=PASSWORD)
        found, output = mail_check(regstack, f"{text}\nsmtp_timeout_seconds = 0.5")
    assert found["status"] == "failed"
    assert PASSWORD not in output
    closed, _ = mail_check(regstack, email(port))
    assert closed["status"] == "failed"


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("REGSTACK_ENABLE_OAUTH", "true", "enable_oauth is set and no provider is"),
        ("REGSTACK_LOGIN_RATE_LIMIT", "5/fortnight", "login_rate_limit cannot be read"),
    ],
)
def test_a_setting_that_stops_the_start_fails_the_doctor_too(
    regstack, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    assert regstack("init", "--yes").exit_code == 0
    monkeypatch.setenv(variable, value)
    done = regstack("doctor")
    assert done.exit_code >= 1
    assert told in done.output


def test_what_a_backend_finds_out_about_itself_is_told_and_counted(
    settings: Any, regstack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def diagnose(self: object) -> tuple[Finding, ...]:
        return (
            Finding("role", Health.OK, "primary"),
            Finding("clock", Health.FAILED, "two hours apart", "Let NTP set both clocks."),
        )

    monkeypatch.setattr("regstack_sqlite.backend.SqliteBackend.diagnose", diagnose)
    found = checks(regstack("doctor", "--json"))
    assert found["role"]["detail"] == "primary"
    assert (found["clock"]["status"], found["clock"]["next_step"]) == ("failed", "Let NTP set both clocks.")
    assert "→ Let NTP set both clocks." in regstack("doctor").stdout
