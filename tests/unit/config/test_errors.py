"""What is wrong with a setting is said by its name, and its value is never shown."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from regstack.config.schema import RegStackConfig
from regstack.errors import ConfigurationError

MARK = "s3cr3t-value"

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"jwt_secret": MARK}, "jwt_secret"),
    ({"jwt_secret_previous": [MARK]}, "jwt_secret_previous"),
    ({"jwt_algorithm": MARK}, "jwt_algorithm"),
    ({"jwt_ttl_seconds": MARK}, "jwt_ttl_seconds"),
    ({"transport": MARK}, "transport"),
    ({"base_url": MARK}, "base_url"),
    ({"base_url": f"https://user:{MARK}@example.com"}, "base_url"),
    ({"api_prefix": MARK}, "api_prefix"),
    ({"table_prefix": f"{MARK}; drop"}, "table_prefix"),
    ({"verify_url_template": MARK}, "verify_url_template"),
    ({"require_verification": MARK}, "require_verification"),
    ({"email": {"smtp_port": MARK}}, "email.smtp_port"),
    ({"email": {"smtp_password": [MARK]}}, "email.smtp_password"),
    ({"sms": {"from_number": MARK}}, "sms.from_number"),
    ({"oauth": {"state_ttl_seconds": MARK}}, "oauth.state_ttl_seconds"),
    ({"no_such_setting": MARK}, "no_such_setting"),
    ({"email": {"no_such_setting": MARK}}, "email.no_such_setting"),
]


@pytest.mark.parametrize(("values", "name"), WRONG, ids=[name for _, name in WRONG])
def test_an_error_names_the_setting_and_shows_no_value(values: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RegStackConfig.load(**values)
    assert str(caught.value).startswith(f"{name}")
    assert MARK not in "".join(traceback.format_exception(caught.value))


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        RegStackConfig.load(jwt_ttl_seconds=0, login_lockout_threshold=0)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "jwt_ttl_seconds",
        "login_lockout_threshold",
    ]


@pytest.mark.parametrize(
    "line", [f"REGSTACK_JWT_SECRET={MARK}", f"REGSTACK_JWT_SECRET_PREVIOUS={MARK}", f"REGSTACK_EMAIL={MARK}"]
)
def test_a_wrong_value_in_the_secrets_file_or_the_environment_is_not_shown_either(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, value = line.split("=")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        RegStackConfig.load()
    assert variable.removeprefix("REGSTACK_").lower() in str(caught.value).lower()
    assert MARK not in "".join(traceback.format_exception(caught.value))

    monkeypatch.delenv(variable)
    Path("regstack.secrets.env").write_text(f"{line}\n", "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        RegStackConfig.load()
    assert variable.removeprefix("REGSTACK_").lower() in str(caught.value).lower()
    assert MARK not in "".join(traceback.format_exception(caught.value))


def test_a_setting_that_toml_misspells_is_an_error() -> None:
    Path("regstack.toml").write_text('[email]\nsmtp_hots = "mail.example.com"\n', "utf-8")
    with pytest.raises(ConfigurationError, match=r"email\.smtp_hots"):
        RegStackConfig.load()


def test_a_setting_that_the_secrets_file_misspells_is_an_error() -> None:
    Path("regstack.secrets.env").write_text("REGSTACK_JWT_SECRETT=abc\n", "utf-8")
    with pytest.raises(ConfigurationError, match="jwt_secrett"):
        RegStackConfig.load()


def test_quiet_registration_needs_verification() -> None:
    with pytest.raises(ConfigurationError, match="quiet_registration needs require_verification"):
        RegStackConfig.load(quiet_registration=True, require_verification=False)


def test_smtp_needs_a_host() -> None:
    with pytest.raises(ConfigurationError, match=r"email\.smtp_host"):
        RegStackConfig.load(email={"backend": "smtp"})


def test_a_secret_of_31_characters_is_refused_and_one_of_32_accepted() -> None:
    with pytest.raises(ConfigurationError, match="at least 32"):
        RegStackConfig.load(jwt_secret="x" * 31)
    assert RegStackConfig.load(jwt_secret="x" * 32).jwt_secret is not None


def test_settings_do_not_show_their_secrets() -> None:
    secret = MARK * 4
    config = RegStackConfig.load(
        jwt_secret=secret,
        jwt_secret_previous=[secret],
        database_url=f"postgresql://someone:{secret}@localhost/app",
        email={"smtp_password": secret, "ses_secret_access_key": secret},
        sms={"twilio_auth_token": secret},
        oauth={"google_client_secret": secret},
    )
    assert MARK not in repr(config)
    assert MARK not in str(config)
    assert MARK not in str(config.model_dump())
    assert MARK not in config.model_dump_json()


def test_a_second_factor_that_nobody_offers_cannot_be_enforced() -> None:
    with pytest.raises(ConfigurationError, match="enable_sms_2fa"):
        RegStackConfig.load(oauth={"enforce_mfa_on_oauth_signin": True})
