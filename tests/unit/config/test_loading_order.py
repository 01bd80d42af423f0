"""Keyword arguments > environment > secrets file > TOML > defaults, setting by setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from regstack.config.schema import EmailConfig, RegStackConfig
from regstack.errors import ConfigurationError

SOURCES = ("TOML", "secrets file", "environment", "keyword arguments")


def load(monkeypatch: pytest.MonkeyPatch, sources: tuple[str, ...], *, nested: bool) -> RegStackConfig:
    """Load settings that each of the sources sets to a value of its own."""
    name = "smtp_port" if nested else "jwt_ttl_seconds"
    variable = f"REGSTACK_{'EMAIL__' if nested else ''}{name.upper()}"
    overrides = {}
    for value, source in enumerate(SOURCES, start=1):
        if source not in sources:
            continue
        if source == "TOML":
            section = "[email]\n" if nested else ""
            Path("regstack.toml").write_text(f"{section}{name} = {value}\n", "utf-8")
        elif source == "secrets file":
            Path("regstack.secrets.env").write_text(f"{variable}={value}\n", "utf-8")
        elif source == "environment":
            monkeypatch.setenv(variable, str(value))
        else:
            overrides = {"email": {name: value}} if nested else {name: value}
    return RegStackConfig.load(**overrides)


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("strongest", range(len(SOURCES)), ids=SOURCES)
def test_each_source_goes_before_all_below_it(
    monkeypatch: pytest.MonkeyPatch, strongest: int, nested: bool
) -> None:
    config = load(monkeypatch, SOURCES[: strongest + 1], nested=nested)
    assert (config.email.smtp_port if nested else config.jwt_ttl_seconds) == strongest + 1


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("only", range(len(SOURCES)), ids=SOURCES)
def test_each_source_works_alone(monkeypatch: pytest.MonkeyPatch, only: int, nested: bool) -> None:
    config = load(monkeypatch, (SOURCES[only],), nested=nested)
    assert (config.email.smtp_port if nested else config.jwt_ttl_seconds) == only + 1


def test_without_any_source_the_defaults_hold() -> None:
    assert RegStackConfig.load() == RegStackConfig()


def test_sections_are_merged_setting_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("regstack.toml").write_text('[email]\nfrom_name = "toml"\nsmtp_host = "toml"\n', "utf-8")
    Path("regstack.secrets.env").write_text("REGSTACK_EMAIL__SMTP_PASSWORD=hush\n", "utf-8")
    monkeypatch.setenv("REGSTACK_EMAIL__SMTP_HOST", "environment")
    email = RegStackConfig.load(email={"smtp_port": 2525}).email
    assert email.from_name == "toml"
    assert email.smtp_host == "environment"
    assert email.smtp_port == 2525
    assert email.smtp_password is not None
    assert email.smtp_password.get_secret_value() == "hush"


def test_a_section_may_be_given_as_its_object() -> None:
    assert RegStackConfig.load(email=EmailConfig(from_name="Jane")).email.from_name == "Jane"


def test_the_constructor_reads_the_environment_but_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("regstack.toml").write_text('app_name = "toml"\njwt_ttl_seconds = 1\n', "utf-8")
    monkeypatch.setenv("REGSTACK_APP_NAME", "environment")
    config = RegStackConfig()
    assert config.app_name == "environment"
    assert config.jwt_ttl_seconds == 7200


def test_files_are_found_by_argument_before_variable_before_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("regstack.toml", "variable.toml", "argument.toml"):
        (tmp_path / name).write_text(f'app_name = "{name}"\n', "utf-8")
    assert RegStackConfig.load().app_name == "regstack.toml"
    monkeypatch.setenv("REGSTACK_CONFIG", "variable.toml")
    assert RegStackConfig.load().app_name == "variable.toml"
    assert RegStackConfig.load("argument.toml").app_name == "argument.toml"


def test_the_secrets_file_is_found_in_the_same_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("regstack.secrets.env", "variable.env", "argument.env"):
        (tmp_path / name).write_text(f"REGSTACK_APP_NAME={name}\n", "utf-8")
    assert RegStackConfig.load().app_name == "regstack.secrets.env"
    monkeypatch.setenv("REGSTACK_SECRETS", "variable.env")
    assert RegStackConfig.load().app_name == "variable.env"
    assert RegStackConfig.load(secrets_env_path="argument.env").app_name == "argument.env"


@pytest.mark.parametrize("argument", ["toml_path", "secrets_env_path"])
def test_a_named_file_that_is_missing_is_an_error_that_names_it(argument: str) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.file"):
        RegStackConfig.load(**{argument: "missing.file"})


def test_broken_toml_is_an_error_that_names_the_file() -> None:
    Path("regstack.toml").write_text("app_name = \n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"regstack\.toml is not valid TOML"):
        RegStackConfig.load()


def test_lists_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    old = "x" * 40
    monkeypatch.setenv("REGSTACK_JWT_SECRET_PREVIOUS", f'["{old}"]')
    assert [secret.get_secret_value() for secret in RegStackConfig.load().jwt_secret_previous] == [old]


def test_the_variables_that_are_no_settings_disturb_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGSTACK_STRICT_PLUGINS", "1")
    monkeypatch.setenv("REGSTACK_DISABLE_BACKENDS", "mongo")
    assert RegStackConfig.load() == RegStackConfig()


def test_settings_cannot_be_changed_afterwards() -> None:
    config = RegStackConfig.load()
    with pytest.raises(ValueError, match="frozen"):
        config.app_name = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        config.email.from_name = "other"  # type: ignore[misc]
