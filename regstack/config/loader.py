"""Where settings come from: keyword arguments > environment > secrets file > TOML > defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, SettingsError

from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_settings import BaseSettings

DEFAULT_TOML = "regstack.toml"
DEFAULT_SECRETS = "regstack.secrets.env"


def find_file(given: str | Path | None, variable: str, default: str) -> Path | None:
    """Give the file to read, or None where nobody named one and the default is not there.

    Raises:
        ConfigurationError: a file that was named does not exist.
    """
    named = given if given is not None else os.environ.get(variable)
    if named is None:
        return Path(default) if Path(default).is_file() else None
    if not Path(named).is_file():
        raise ConfigurationError(
            f"there is no file {str(named)!r}; write it with `regstack init`, or correct the path"
        )
    return Path(named)


def load_settings(
    schema: type[BaseSettings],
    toml_path: str | Path | None,
    secrets_env_path: str | Path | None,
    overrides: Mapping[str, Any],
) -> dict[str, Any]:
    """Merge all sources, the strongest last.

    Raises:
        ConfigurationError: a file is missing or cannot be read.
    """
    toml_file = find_file(toml_path, "REGSTACK_CONFIG", DEFAULT_TOML)
    secrets_file = find_file(secrets_env_path, "REGSTACK_SECRETS", DEFAULT_SECRETS)
    merged: dict[str, Any] = {}
    try:
        if toml_file is not None:
            merged = _read_toml(toml_file)
        if secrets_file is not None:
            merged = _merge(merged, DotEnvSettingsSource(schema, env_file=secrets_file)())
        merged = _merge(merged, EnvSettingsSource(schema)())
    except SettingsError as error:
        raise ConfigurationError(f"{error}; write lists and tables as JSON") from error
    except OSError as error:
        raise ConfigurationError(f"cannot read {error.filename!r}: {error.strerror}") from error
    return _merge(merged, overrides)


def explain(error: ValidationError) -> ConfigurationError:
    """Turn pydantic's report into one line for each setting, without any value."""
    lines = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ConfigurationError("\n".join(lines))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(under, value) if both else value  # type: ignore[arg-type]
    return merged
