"""Write docs/configuration.md from the schema of the settings.

Run by `make docs`; `tests/docs/test_configuration.py` fails where the page is stale.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from regstack.config.oauth import OAuthProviderConfig
from regstack.config.schema import EmailConfig, OAuthConfig, RegStackConfig, SmsConfig

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

INTRODUCTION = """\
# Configuration

This page is generated from `regstack/config/schema.py` by `make docs`.

## Where settings come from

`RegStackConfig.load()` reads five sources. For each setting the first one that has it wins:

1. keyword arguments: `RegStackConfig.load(app_name="Shop", email={"smtp_port": 2525})`
2. environment variables
3. the secrets file
4. the TOML file
5. the defaults on this page

Sections are merged setting by setting: the SMTP password may stand in the secrets file and the host
name in the TOML file. `RegStackConfig(…)` without `load` reads keyword arguments and the environment, and
no file.

A wrong setting stops the start, and so does an unknown one in a file or a section. The message names every
wrong setting and shows no value.

A setting marked *not in this version yet* is known and checked, so that one configuration lasts, but
nothing acts on it; where it would switch something on, the start is refused.

## Environment

A variable is `REGSTACK_` and the setting's name in upper case; two underscores lead into a section.
Lists are written as JSON.

```sh
export REGSTACK_BASE_URL=https://app.example.com
export REGSTACK_EMAIL__SMTP_HOST=mail.example.com
export REGSTACK_JWT_SECRET_PREVIOUS='["…the key before…"]'
```

Five variables are not settings:

| variable | meaning |
|---|---|
| `REGSTACK_CONFIG` | path of the TOML file |
| `REGSTACK_SECRETS` | path of the secrets file |
| `REGSTACK_STRICT_PLUGINS` | `1`: any plugin that cannot be used stops the start |
| `REGSTACK_DISABLE_BACKENDS` | names of backends that are not to be used, with commas between |
| `REGSTACK_DISABLE_TRANSPORTS` | the same for transports of mails and text messages |

## Files

The TOML file is the argument `toml_path`, else `REGSTACK_CONFIG`, else `regstack.toml` in the working
directory if it is there. The secrets file is `secrets_env_path`, else `REGSTACK_SECRETS`, else
`regstack.secrets.env`. A file that was named and is missing is an error.

```toml
# regstack.toml
app_name = "Shop"
base_url = "https://shop.example.com"
database_url = "sqlite+aiosqlite:///./shop.db"

[email]
backend = "smtp"
smtp_host = "mail.example.com"
```

```sh
# regstack.secrets.env, readable by its owner alone
REGSTACK_JWT_SECRET=…at least 32 characters…
REGSTACK_EMAIL__SMTP_PASSWORD=…
```

`regstack init` writes both, with a generated key. Keep the secrets file out of version control.
"""

GROUPS = {
    "app_name": "The application",
    "database_url": "Storage",
    "jwt_secret": "Tokens",
    "verification_token_ttl_seconds": "Links and codes",
    "require_verification": "Switches",
    "password_hash_preset": "Passwords",
    "rate_limit_disabled": "Limits",
    "api_prefix": "Paths, pages and links",
    "background_queue_size": "Work after the answer",
}
"""Headings, by the first setting below each."""

SECTIONS: dict[str, type[BaseModel]] = {
    "email": EmailConfig,
    "sms": SmsConfig,
    "oauth": OAuthConfig,
    "oauth.providers.NAME": OAuthProviderConfig,
}

NAMED_TABLES = {
    "oauth.providers.NAME": "One provider; NAME is up to you, of `a-z`, `0-9` and `-`, and part of its URLs. "
    "See [social-sign-in.md](social-sign-in.md)."
}
"""What is said above the settings of a table that there may be many of."""

PLANNED = frozenset(
    """
    transport
    """.split()  # noqa: SIM905 - forty quoted names would read worse
)
"""Settings that are read and checked, but that nothing acts on yet; sections with their dot."""

_KINDS: dict[Any, str] = {
    bool: "switch",
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "secret",
    Path: "path",
}


def page() -> str:
    """Compose the whole page."""
    parts = [INTRODUCTION]
    rows: list[str] = []
    for name, field in RegStackConfig.model_fields.items():
        if name in SECTIONS:
            continue
        if name in GROUPS:
            rows = _table(parts, f"## {GROUPS[name]}")
        rows.append(_row(name, name, field))
    for section, schema in SECTIONS.items():
        about = NAMED_TABLES.get(section) or RegStackConfig.model_fields[section].description
        rows = _table(parts, f"## `[{section}]`\n\n{about}")
        rows.extend(_row(name, f"{section}.{name}", field) for name, field in schema.model_fields.items())
    return "\n".join(part if isinstance(part, str) else "\n".join(part) + "\n" for part in parts)


def setting_names() -> list[str]:
    """Every setting, those of a section as `section.name`."""
    names = [name for name in RegStackConfig.model_fields if name not in SECTIONS]
    for section, schema in SECTIONS.items():
        names.extend(f"{section}.{name}" for name in schema.model_fields)
    return names


def _table(parts: list[Any], heading: str) -> list[str]:
    rows = [heading, "", "| setting | value | default | |", "|---|---|---|---|"]
    parts.append(rows)
    return rows


def _row(name: str, dotted: str, field: FieldInfo) -> str:
    text = field.description or ""
    if dotted in PLANNED:
        text += " *Not in this version yet.*"
    cells = (f"`{name}`", _values(field), _default(field.default), text.replace("|", "\\|"))
    return f"| {' | '.join(cells)} |"


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value is PydanticUndefined or value in ((), {}):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _values(field: FieldInfo) -> str:
    text = _kind(field.annotation)
    signs = {"ge": "≥", "gt": ">", "le": "≤"}
    bounds = [
        f"{sign} {getattr(rule, key):g}"
        for rule in field.metadata
        for key, sign in signs.items()
        if getattr(rule, key, None) is not None
    ]
    return ", ".join([text, *bounds])


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " ".join(f'`"{value}"`' for value in get_args(annotation))
    if get_origin(annotation) in {Union, types.UnionType}:
        return " or ".join(_kind(part) for part in get_args(annotation) if part is not types.NoneType)
    if get_origin(annotation) is tuple:
        return f"list of {_kind(get_args(annotation)[0])}s"
    if get_origin(annotation) is dict:
        value = get_args(annotation)[1]
        return f"table of {_kind(value)}s" if value is SecretStr else "tables"
    names = {
        bool: "switch",
        int: "whole number",
        float: "number",
        str: "text",
        SecretStr: "secret",
        Path: "path",
    }
    return names[annotation]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
