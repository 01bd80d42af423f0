"""The names that applications and plugins are written against."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import regstack

DRIVERS = {"sqlalchemy", "alembic", "aiosqlite", "sqlite3", "asyncpg", "pymongo", "beanie"}

FIXED = {
    "regstack": ["RegStack", "RegStackConfig", "hookimpl", "__version__"],
    "regstack.app": ["RegStack"],
    "regstack.auth.clock": ["Clock", "FrozenClock", "SystemClock"],
    "regstack.backends.base": ["Backend", "BackendInfo", "BackendKind", "Capability"],
    "regstack.backends.protocols": [
        "BlacklistRepoProtocol",
        "LoginAttemptRepoProtocol",
        "MfaCodeRepoProtocol",
        "OAuthIdentityRepoProtocol",
        "OAuthStateRepoProtocol",
        "PendingRepoProtocol",
        "UserRepoProtocol",
    ],
    "regstack.config.schema": ["EmailConfig", "OAuthConfig", "RegStackConfig", "SmsConfig"],
    "regstack.email.console": ["ConsoleEmailService"],
    "regstack.email.message": ["MailMessage"],
    "regstack.email.service": ["EmailService"],
    "regstack.models.user": ["User"],
    "regstack.plugins.specs": ["API_VERSION", "hookimpl", "hookspec"],
    "regstack.sms.null": ["NullSmsService"],
    "regstack.sms.service": ["SmsMessage", "SmsService"],
    "regstack.transports.info": ["TransportInfo", "TransportKind"],
}

FACADE = """
    config clock backend users pending blacklist attempts mfa_codes oauth_identities oauth_states
    password_hasher jwt lockout email sms mail hooks deps router ui_router static_files
    install_schema aclose bootstrap_admin promote_pending add_template_dir set_email_backend
    set_sms_backend on oauth
""".split()  # noqa: SIM905 - a quoted name a line would be longer than the test


def loaded_by(statement: str) -> set[str]:
    """Run a statement in a new interpreter and give the modules that it loaded."""
    script = f"import sys; before = set(sys.modules); {statement}; import json; "
    script += "print(json.dumps(sorted(set(sys.modules) - before)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize("module", FIXED)
def test_a_fixed_name_is_where_it_was_promised(module: str) -> None:
    for name in FIXED[module]:
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_the_facade_has_every_name_that_was_promised() -> None:
    config = regstack.RegStackConfig(
        database_url="memory://", jwt_secret="x" * 32, enable_ui_router=True, enable_oauth=True
    )
    rs = regstack.RegStack(config=config, oauth_providers={})
    for name in FACADE:
        assert hasattr(rs, name), name
    for name in ("current_user", "current_user_optional", "current_admin"):
        assert callable(getattr(rs.deps, name)())


def test_the_facade_takes_the_parts_that_were_promised() -> None:
    parameters = list(inspect.signature(regstack.RegStack).parameters)
    assert parameters[:6] == ["config", "backend", "clock", "email_service", "mail_composer", "sms_service"]


def test_all_is_sorted_and_every_name_in_it_exists() -> None:
    assert regstack.__all__ == sorted(regstack.__all__)
    for name in regstack.__all__:
        assert getattr(regstack, name) is not None
    assert set(regstack.__all__) <= set(dir(regstack))


def test_type_checkers_see_the_names_that_are_loaded_lazily() -> None:
    tree = ast.parse(Path(regstack.__file__).read_text("utf-8"))
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert set(regstack._HOMES) <= imported
    assert set(regstack.__all__) == {*regstack._HOMES, "__version__"}


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Regstack'"):
        regstack.Regstack  # noqa: B018


def test_importing_regstack_loads_no_library_at_all() -> None:
    roots = {name.partition(".")[0] for name in loaded_by("import regstack")}
    assert roots <= {"regstack", *sys.stdlib_module_names}
    assert not roots & {"asyncio", "importlib_metadata", *DRIVERS}


@pytest.mark.parametrize(
    ("statement", "left_out"),
    [
        ("from regstack import RegStackConfig", {"fastapi", "starlette", "jinja2", "uvicorn", *DRIVERS}),
        ("from regstack import hookimpl", {"fastapi", "pydantic", *DRIVERS}),
        ("import regstack.backends.base", {"fastapi", "pydantic", "pluggy", *DRIVERS}),
        (
            "import regstack.app",
            {"uvicorn", "typer", "aiosmtplib", "boto3", "phonenumbers", "pytest", "hypothesis", *DRIVERS},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_part_loads_no_more_than_it_needs(statement: str, left_out: set[str]) -> None:
    assert not {name.partition(".")[0] for name in loaded_by(statement)} & left_out


def test_no_module_of_the_core_needs_a_driver_to_be_imported() -> None:
    modules = [
        module.name
        for module in pkgutil.walk_packages(regstack.__path__, "regstack.")
        if not module.name.startswith(("regstack.backends.sql", "regstack.testing"))
        and not module.name.endswith("__main__")
    ]
    loaded = {name.partition(".")[0] for name in loaded_by(f"import {', '.join(modules)}")}
    assert not loaded & DRIVERS
