"""Every setting of one `RegStack`, with its default.

Names and defaults follow regstack 0.9 where it had them. In the environment a setting is
`REGSTACK_` and its upper-case name, nested ones with two underscores: `REGSTACK_EMAIL__SMTP_HOST`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from regstack.config.loader import explain, load_settings
from regstack.config.oauth import OAuthConfig
from regstack.config.section import Section

MINIMUM_SECRET_LENGTH = 32
"""Characters of `jwt_secret`; an HS256 key has at least 256 bits (RFC 7518, section 3.2)."""

HashPreset = Literal["owasp", "owasp-46mib", "rfc9106-low", "insecure-test"]


class _TransportSection(Section):
    @field_validator("options", mode="before", check_fields=False)
    @classmethod
    def _texts(cls, value: Any) -> Any:
        # A variable of digits arrives as a number.
        if not isinstance(value, dict):
            return value
        return {key: str(each) if type(each) is int else each for key, each in value.items()}


class EmailConfig(_TransportSection):
    """Outgoing mail."""

    backend: str = Field(
        "console",
        description="Transport: `console`, `smtp`, `ses`, or one that another distribution brings. "
        "`console` reports mails on the terminal, for development.",
    )
    from_address: str = Field("noreply@example.com", description="Sender address.")
    from_name: str | None = Field(None, description="Sender name; `app_name` where it is not set.")
    smtp_host: str | None = Field(None, description="Host name of the SMTP server.")
    smtp_port: int = Field(
        587, ge=1, le=65535, description="Port of the SMTP server; 465 means TLS from the start."
    )
    smtp_starttls: bool = Field(True, description="Require STARTTLS before anything is sent.")
    smtp_username: str | None = Field(None, description="SMTP user name.")
    smtp_password: SecretStr | None = Field(None, description="SMTP password.")
    smtp_timeout_seconds: float = Field(10.0, gt=0, description="Deadline of one SMTP conversation.")
    ses_region: str = Field("eu-west-1", description="Region of Amazon SES.")
    ses_profile: str | None = Field(None, description="AWS profile.")
    ses_access_key_id: str | None = Field(None, description="AWS access key id.")
    ses_secret_access_key: SecretStr | None = Field(None, description="AWS secret access key.")
    ses_timeout_seconds: float = Field(10.0, gt=0, description="Deadline of one request to Amazon SES.")
    options: dict[str, SecretStr] = Field(
        {}, description="Settings of a transport that another distribution brings, as its page says."
    )
    log_bodies: bool = Field(
        False, description="Let the console transport log whole mails, links included. Development only."
    )
    queue_size: int = Field(
        1000, ge=1, description="Mails that may wait; further ones are dropped, counted and logged."
    )
    max_attempts: int = Field(5, ge=1, le=20, description="How often a mail is tried before it is given up.")


class SmsConfig(_TransportSection):
    """Outgoing text messages."""

    backend: str = Field(
        "null",
        description="Transport: `null`, `sns`, `twilio`, or one that another distribution brings. "
        "`null` keeps messages in memory, for development.",
    )
    from_number: str | None = Field(
        None,
        pattern=r"^\+[1-9][0-9]{1,14}$",
        description="Sender number (E.164), for example `+15005550006`.",
    )
    sns_region: str = Field("eu-west-1", description="Region of Amazon SNS.")
    twilio_account_sid: str | None = Field(None, description="Twilio account.")
    twilio_auth_token: SecretStr | None = Field(None, description="Twilio token.")
    timeout_seconds: float = Field(10.0, gt=0, description="Deadline of one request to the provider.")
    log_bodies: bool = Field(
        False, description="Let the null transport log whole messages, codes included. Development only."
    )
    options: dict[str, SecretStr] = Field(
        {}, description="Settings of a transport that another distribution brings, as its page says."
    )
    queue_size: int = Field(
        1000, ge=1, description="Messages that may wait; further ones are dropped, counted and logged."
    )
    max_attempts: int = Field(
        3, ge=1, le=20, description="How often a message is tried before it is given up."
    )


class RegStackConfig(BaseSettings):
    """Settings of one `RegStack`.

    Values come from keyword arguments, then the environment; `load` adds a secrets file and a
    TOML file below them.
    """

    model_config = SettingsConfigDict(
        env_prefix="REGSTACK_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        nested_model_default_partial_update=True,
    )

    app_name: str = Field("RegStack", description="Name shown on pages and in mails.")
    base_url: str = Field(
        "http://localhost:8000", description="Public URL of the application; all links start with it."
    )
    behind_proxy: bool = Field(
        False, description="A reverse proxy terminates TLS in front of the application."
    )
    trusted_proxy_count: int = Field(
        0, ge=0, description="How many proxies in front append to `X-Forwarded-For`."
    )

    database_url: SecretStr = Field(
        SecretStr("sqlite+aiosqlite:///./regstack.db"),
        description="Where accounts live; the scheme picks the backend.",
    )
    mongodb_database: str = Field("regstack", description="Database name, where a MongoDB URL has none.")
    table_prefix: str = Field(
        "regstack_",
        pattern=r"^[a-z_][a-z0-9_]{0,30}$|^$",
        description="What names of tables and collections begin with.",
    )
    db_schema: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="SQL schema for the tables, where the database has schemas.",
    )
    db_timeout_seconds: float = Field(
        10.0, gt=0, description="Deadline of one storage operation, waiting for locks and retries included."
    )
    db_connect_timeout_seconds: float = Field(5.0, gt=0, description="Deadline for opening a connection.")
    db_pool_size: int = Field(5, ge=1, description="Connections that one process keeps.")
    purge_interval_seconds: int = Field(
        3600,
        ge=0,
        description="How often one of the workers deletes what has expired, while the application runs as "
        "`async with RegStack(…)`. 0 leaves it to `regstack purge`.",
    )
    db_notify_url: SecretStr | None = Field(
        None,
        description="A URL of the same database by which `token_cache_milliseconds` hears of changes sooner; "
        "PostgreSQL only. It leads to the server itself: a pooler in transaction mode passes no notices on.",
    )
    postgres_statement_cache_size: int = Field(
        100,
        ge=0,
        description="Prepared statements that one PostgreSQL connection keeps. "
        "0 behind PgBouncer in transaction mode.",
    )
    sqlite_synchronous: Literal["FULL", "NORMAL"] = Field(
        "FULL",
        description="SQLite durability. NORMAL is faster, but a power cut may bring a revoked token back.",
    )

    jwt_secret: SecretStr | None = Field(
        None, description="Root key of all tokens, at least 32 characters. `regstack init` generates one."
    )
    jwt_secret_previous: tuple[SecretStr, ...] = Field(
        (),
        description="Earlier root keys, which only verify: to change the key without signing anyone out.",
    )
    jwt_algorithm: Literal["HS256", "HS384", "HS512"] = Field(
        "HS256", description="Signature algorithm of tokens."
    )
    jwt_ttl_seconds: int = Field(7200, gt=0, description="Life of an access token.")
    jwt_audience: str | None = Field(None, description="`aud` claim to write and to require.")
    token_cache_milliseconds: int = Field(
        0,
        ge=0,
        le=60_000,
        description="How long what was read of a token's account is used again, without asking the database; "
        "0 is never. For so many milliseconds another worker may still accept a token that was revoked here, "
        "or whose account was disabled or deleted. See [token-cache.md](token-cache.md).",
    )
    token_cache_size: int = Field(
        10_000, ge=1, description="Tokens that one instance remembers for that; the oldest go first."
    )
    transport: Literal["bearer"] = Field(
        "bearer", description="How the JSON interface carries access tokens."
    )

    verification_token_ttl_seconds: int = Field(86400, gt=0, description="Life of a verification link.")
    password_reset_token_ttl_seconds: int = Field(1800, gt=0, description="Life of a password-reset link.")
    email_change_token_ttl_seconds: int = Field(3600, gt=0, description="Life of an email-change link.")
    mfa_pending_token_ttl_seconds: int = Field(
        600, gt=0, description="Life of a half-finished sign-in or phone set-up."
    )
    sms_code_length: int = Field(6, ge=6, le=10, description="Digits of a texted code.")
    sms_code_ttl_seconds: int = Field(300, gt=0, description="Life of a texted code.")
    sms_code_max_attempts: int = Field(5, ge=1, le=10, description="Guesses that are compared to one code.")

    require_verification: bool = Field(
        True, description="A registration becomes an account once its address is confirmed."
    )
    verification_requires_password: bool = Field(
        False,
        description="`POST /verify` takes the password of the registration too, and "
        "`POST /confirm-email-change` that of the account, so that nobody confirms what somebody else "
        "did with their address. The pages always ask for it.",
    )
    allow_registration: bool = Field(True, description="Anyone may register.")
    quiet_registration: bool = Field(
        False,
        description="Registering answers alike for known and new addresses; needs `require_verification`.",
    )
    enable_password_reset: bool = Field(True, description="Offer the password reset by mail.")
    enable_account_deletion: bool = Field(True, description="People may delete their own account.")
    enable_admin_router: bool = Field(False, description="Serve the administration routes.")
    enable_ui_router: bool = Field(False, description="Serve the pages.")
    enable_sms_2fa: bool = Field(False, description="Offer codes by text message as a second factor.")
    enable_oauth: bool = Field(False, description="Offer sign-in with external providers.")

    password_hash_preset: HashPreset = Field(
        "owasp",
        description="Argon2id cost: `owasp` 19 MiB t2 p1, `owasp-46mib` 46 MiB t1 p1, "
        "`rfc9106-low` 64 MiB t3 p4, `insecure-test` for tests only.",
    )
    password_hash_memory_kib: int | None = Field(
        None, ge=8, description="Argon2id memory in KiB, in place of the preset's."
    )
    password_hash_time_cost: int | None = Field(
        None, ge=1, description="Argon2id passes, in place of the preset's."
    )
    password_hash_parallelism: int | None = Field(
        None, ge=1, description="Argon2id lanes, in place of the preset's."
    )
    password_hash_threads: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Threads that hash passwords; 2 where it is not set, and 1 where the process may use "
        "less than two processors.",
    )
    password_hash_queue_size: int = Field(
        64,
        ge=1,
        description="Hashings that may wait for a thread; further requests answer 503. One of "
        "eight places is for those who are signed in.",
    )

    rate_limit_disabled: bool = Field(
        False, description="Switch all limits off, lockout included. Tests only."
    )
    login_lockout_threshold: int = Field(
        5,
        ge=1,
        description="Wrong passwords for one account before it is locked; wrong codes and texts are counted "
        "apart, as many each.",
    )
    login_lockout_window_seconds: int = Field(900, gt=0, description="How long that counts, and locks.")
    login_rate_limit: str | None = Field(
        None, description="Limit of `POST /login`, for example `5/minute;20/hour`."
    )
    login_mfa_confirm_rate_limit: str | None = Field(None, description="Limit of `POST /login/mfa-confirm`.")
    register_rate_limit: str | None = Field(None, description="Limit of `POST /register`.")
    forgot_password_rate_limit: str | None = Field(None, description="Limit of `POST /forgot-password`.")
    reset_password_rate_limit: str | None = Field(None, description="Limit of `POST /reset-password`.")
    verify_rate_limit: str | None = Field(None, description="Limit of `POST /verify`.")
    resend_verification_rate_limit: str | None = Field(
        None, description="Limit of `POST /resend-verification`."
    )
    change_password_rate_limit: str | None = Field(None, description="Limit of `POST /change-password`.")
    change_email_rate_limit: str | None = Field(None, description="Limit of `POST /change-email`.")
    confirm_email_change_rate_limit: str | None = Field(
        None, description="Limit of `POST /confirm-email-change`."
    )
    delete_account_rate_limit: str | None = Field(None, description="Limit of `DELETE /account`.")
    oauth_exchange_rate_limit: str | None = Field(None, description="Limit of `POST /oauth/exchange`.")
    oauth_start_rate_limit: str | None = Field(
        None, description="Limit of `GET /oauth/{provider}/start` and `POST /oauth/{provider}/link/start`."
    )
    oauth_callback_rate_limit: str | None = Field(
        None, description="Limit of `GET /oauth/{provider}/callback`."
    )
    phone_start_rate_limit: str | None = Field(None, description="Limit of `POST /phone/start`.")
    phone_confirm_rate_limit: str | None = Field(None, description="Limit of `POST /phone/confirm`.")
    phone_disable_rate_limit: str | None = Field(None, description="Limit of `DELETE /phone`.")

    email: EmailConfig = Field(EmailConfig(), description="Outgoing mail.")
    sms: SmsConfig = Field(SmsConfig(), description="Outgoing text messages.")
    oauth: OAuthConfig = Field(OAuthConfig(), description="External providers.")

    api_prefix: str = Field("/api/auth", description="Where the host mounts the JSON routes.")
    operation_id_prefix: str = Field(
        "",
        pattern="^[A-Za-z0-9_]*$",
        description="Begins the name of each route in the OpenAPI document, to tell two instances of one "
        "application apart.",
    )
    ui_prefix: str = Field("/account", description="Where the host mounts the pages.")
    static_prefix: str = Field("/regstack-static", description="Where the host mounts the static files.")
    theme_css_url: str | None = Field(
        None, description="A stylesheet of the host, loaded after the shipped one."
    )
    brand_logo_url: str | None = Field(None, description="Logo on the pages.")
    brand_tagline: str | None = Field(None, description="One line under the application's name.")
    extra_template_dirs: tuple[Path, ...] = Field(
        (), description="Folders whose templates go before the shipped ones."
    )
    email_link_prefix: str | None = Field(
        None,
        description="Path between `base_url` and the page in mailed links; `ui_prefix` where it is not set.",
    )
    verify_url_template: str | None = Field(
        None, description="Mailed verification link; `{base_url}` and `{token}` are replaced."
    )
    password_reset_url_template: str | None = Field(
        None, description="Mailed reset link; `{base_url}` and `{token}` are replaced."
    )
    email_change_url_template: str | None = Field(
        None, description="Mailed email-change link; `{base_url}` and `{token}` are replaced."
    )
    background_queue_size: int = Field(
        1000,
        ge=1,
        description="Tasks that may wait to run after an answer; more are dropped, counted and logged.",
    )

    @field_validator("base_url")
    @classmethod
    def _absolute_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("write a whole URL without query, for example https://app.example.com")
        if parts.username or parts.password:
            raise ValueError("must not hold a user name or password")
        return value.rstrip("/")

    @field_validator("jwt_secret", "jwt_secret_previous")
    @classmethod
    def _long_secret(cls, value: SecretStr | tuple[SecretStr, ...] | None) -> Any:
        for secret in value if isinstance(value, tuple) else (value,) if value else ():
            if len(secret.get_secret_value()) < MINIMUM_SECRET_LENGTH:
                raise ValueError(
                    f"needs at least {MINIMUM_SECRET_LENGTH} characters (RFC 7518, section 3.2); "
                    "`regstack init` writes a good one, and so does `openssl rand -base64 48`"
                )
        return value

    @field_validator("api_prefix", "ui_prefix", "static_prefix", "email_link_prefix")
    @classmethod
    def _path_prefix(cls, value: str | None) -> str | None:
        if value is None or value == "":
            return value
        if not value.startswith("/") or value.startswith("//") or "?" in value or "#" in value:
            raise ValueError("write a path that starts with one slash, for example /account")
        return value.rstrip("/")

    @field_validator("verify_url_template", "password_reset_url_template", "email_change_url_template")
    @classmethod
    def _holds_token(cls, value: str | None) -> str | None:
        if value is not None and "{token}" not in value:
            raise ValueError("must contain {token}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.quiet_registration and not self.require_verification:
            raise ValueError("quiet_registration needs require_verification = true")
        if self.oauth.enforce_mfa_on_oauth_signin and not self.enable_sms_2fa:
            raise ValueError("oauth.enforce_mfa_on_oauth_signin needs enable_sms_2fa = true")
        if self.email.backend == "smtp" and not self.email.smtp_host:
            raise ValueError('email.backend = "smtp" needs email.smtp_host')
        return self

    @classmethod
    def settings_customise_sources(  # noqa: D102 - documented by pydantic-settings
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - `load` names its secrets file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings)

    @classmethod
    def load(
        cls,
        toml_path: str | Path | None = None,
        secrets_env_path: str | Path | None = None,
        **overrides: Any,
    ) -> Self:
        """Read settings from keyword arguments > environment > secrets file > TOML > defaults.

        Args:
            toml_path: the TOML file; without it `REGSTACK_CONFIG`, then `regstack.toml` in the
                working directory if there is one.
            secrets_env_path: a file of `REGSTACK_…=…` lines; without it `REGSTACK_SECRETS`, then
                `regstack.secrets.env` in the working directory if there is one.
            **overrides: settings that go before everything else.

        Raises:
            ConfigurationError: a file that was named is missing or cannot be read, a setting is
                unknown or wrong; the message says which, and never shows a value.
        """
        values = load_settings(cls, toml_path, secrets_env_path, overrides)
        try:
            return cls(**values)
        except ValidationError as error:
            raise explain(error) from None
