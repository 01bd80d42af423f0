"""Names and defaults are an interface: those of regstack 0.9 hold, and the new ones are stated."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from regstack.config.schema import EmailConfig, OAuthConfig, RegStackConfig, SmsConfig

LIMITED = (
    "login login_mfa_confirm register forgot_password reset_password verify resend_verification "
    "change_password change_email confirm_email_change delete_account oauth_exchange oauth_start "
    "oauth_callback phone_start phone_confirm phone_disable"
)

STATED: dict[type[BaseModel], dict[str, Any]] = {
    RegStackConfig: {
        "app_name": "RegStack",
        "base_url": "http://localhost:8000",
        "behind_proxy": False,
        "database_url": "sqlite+aiosqlite:///./regstack.db",
        "mongodb_database": "regstack",
        "jwt_secret": None,
        "jwt_algorithm": "HS256",
        "jwt_ttl_seconds": 7200,
        "jwt_audience": None,
        "transport": "bearer",
        "verification_token_ttl_seconds": 86400,
        "password_reset_token_ttl_seconds": 1800,
        "email_change_token_ttl_seconds": 3600,
        "mfa_pending_token_ttl_seconds": 600,
        "sms_code_length": 6,
        "sms_code_ttl_seconds": 300,
        "sms_code_max_attempts": 5,
        "require_verification": True,
        "allow_registration": True,
        "enable_password_reset": True,
        "enable_account_deletion": True,
        "enable_admin_router": False,
        "enable_ui_router": False,
        "enable_sms_2fa": False,
        "enable_oauth": False,
        "rate_limit_disabled": False,
        "login_lockout_threshold": 5,
        "login_lockout_window_seconds": 900,
        **{f"{route}_rate_limit": None for route in LIMITED.split()},
        "api_prefix": "/api/auth",
        "ui_prefix": "/account",
        "static_prefix": "/regstack-static",
        "theme_css_url": None,
        "brand_logo_url": None,
        "brand_tagline": None,
        "extra_template_dirs": (),
        "email_link_prefix": None,
        "verify_url_template": None,
        "password_reset_url_template": None,
        "email_change_url_template": None,
        # Not in 0.9.
        "operation_id_prefix": "",
        "table_prefix": "regstack_",
        "db_schema": None,
        "jwt_secret_previous": (),
        "quiet_registration": False,
        "trusted_proxy_count": 0,
        "password_hash_preset": "owasp",
        "password_hash_threads": None,
        "password_hash_queue_size": 64,
        "purge_interval_seconds": 3600,
        "postgres_statement_cache_size": 100,
        "sqlite_synchronous": "FULL",
        "token_cache_milliseconds": 0,
        "token_cache_size": 10_000,
        "db_notify_url": None,
    },
    EmailConfig: {
        "backend": "console",
        "from_address": "noreply@example.com",
        "from_name": None,
        "smtp_host": None,
        "smtp_port": 587,
        "smtp_starttls": True,
        "smtp_username": None,
        "smtp_password": None,
        "ses_region": "eu-west-1",
        "ses_profile": None,
        "ses_access_key_id": None,
        "ses_secret_access_key": None,
        "log_bodies": False,
        # Not in 0.9.
        "ses_timeout_seconds": 10.0,
        "options": {},
        "queue_size": 1000,
        "max_attempts": 5,
    },
    SmsConfig: {
        "backend": "null",
        "from_number": None,
        "sns_region": "eu-west-1",
        "twilio_account_sid": None,
        "twilio_auth_token": None,
        "log_bodies": False,
        # Not in 0.9.
        "timeout_seconds": 10.0,
        "options": {},
        "queue_size": 1000,
        "max_attempts": 3,
    },
    OAuthConfig: {
        "google_client_id": None,
        "google_client_secret": None,
        "google_redirect_uri": None,
        "auto_link_verified_emails": False,
        "enforce_mfa_on_oauth_signin": False,
        "state_ttl_seconds": 300,
        "completion_ttl_seconds": 30,
        "link_session_max_age_seconds": 600,
        # Not in 0.9.
        "providers": {},
    },
}

CASES = [(schema, name, value) for schema, table in STATED.items() for name, value in table.items()]


@pytest.mark.parametrize(
    ("schema", "name", "value"), CASES, ids=[f"{schema.__name__}.{name}" for schema, name, _ in CASES]
)
def test_a_setting_has_the_stated_default(schema: type[BaseModel], name: str, value: Any) -> None:
    actual = getattr(schema(), name)
    if isinstance(actual, SecretStr):
        actual = actual.get_secret_value()
    assert actual == value


@pytest.mark.parametrize("schema", list(STATED), ids=lambda schema: schema.__name__)
def test_every_setting_has_a_default_and_a_description(schema: type[BaseModel]) -> None:
    for name, field in schema.model_fields.items():
        assert not field.is_required(), name
        assert field.description, name
        assert field.description.endswith("."), name
