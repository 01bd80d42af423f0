"""Writes `regstack.toml` and `regstack.secrets.env` so that they load again as they were meant."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from regstack.config.loader import DEFAULT_SECRETS, DEFAULT_TOML, explain
from regstack.config.schema import RegStackConfig
from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRET_FILE_MODE = 0o600
PUBLIC_FILE_MODE = 0o644

TOML_HEAD = """\
# Settings of regstack. Secrets are in regstack.secrets.env; every setting may also be an environment
# variable, REGSTACK_ and its name. docs/configuration.md lists them all.
"""
SECRETS_HEAD = """\
# Secrets of regstack: keep this file private and out of version control. Who has the key can sign in
# as anyone; who loses it signs everyone out.
"""


class SettingsWriter:
    """Writes the two files into one folder, and never over a file that is there.

    Args:
        directory: the folder; it is made if it is not there.
        force: move files that exist aside instead of refusing.

    Raises:
        ConfigurationError: a file exists already; the message says which.
    """

    def __init__(self, directory: Path, *, force: bool = False) -> None:
        self._toml = directory / DEFAULT_TOML
        self._secrets = directory / DEFAULT_SECRETS
        self._force = force
        taken = [str(path) for path in (self._toml, self._secrets) if os.path.lexists(path)]
        if taken and not force:
            raise ConfigurationError(
                f"there is already {' and '.join(taken)}; nothing was written. Choose another --directory, "
                "or use --force to move what is there aside, as *.bak"
            )

    def write(self, values: Mapping[str, Any]) -> list[str]:
        """Check the settings, then write both files.

        Args:
            values: settings by name, sections as mappings.

        Returns:
            What was done, one line each.

        Raises:
            ConfigurationError: a setting is wrong, or a file cannot be written.
        """
        public, secret = _divide(values)
        try:
            RegStackConfig(**values)
        except ValidationError as error:
            raise explain(error) from None
        try:
            return self._write(_toml_text(public), _secrets_text(secret))
        except FileExistsError as error:
            raise ConfigurationError(f"{error.filename} has just been written by another process") from error
        except OSError as error:
            raise ConfigurationError(f"cannot write {error.filename}: {error.strerror}") from error

    def _write(self, toml: str, secret: str) -> list[str]:
        self._toml.parent.mkdir(parents=True, exist_ok=True)
        told = []
        for path in (self._toml, self._secrets):
            if os.path.lexists(path) and self._force:
                told.append(f"moved the earlier {path.name} to {_move_aside(path)}")
                if path is self._secrets:
                    told.append("the key is a new one: put the earlier into jwt_secret_previous for a while")
        _create(self._secrets, secret, SECRET_FILE_MODE)
        try:
            _create(self._toml, toml, PUBLIC_FILE_MODE)
        except OSError:
            self._secrets.unlink()
            raise
        return [*told, f"wrote {self._toml}", f"wrote {self._secrets} (mode {SECRET_FILE_MODE:04o})"]


def _create(path: Path, text: str, mode: int) -> None:
    """Create a file that was not there, with its mode from the first moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _move_aside(path: Path) -> Path:
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.{number}.bak")):
        number += 1
    path.rename(aside)
    return aside


def _divide(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Part what may be read by everyone from what may not."""
    public: dict[str, Any] = {}
    secret: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            public[name] = {key: each for key, each in value.items() if not key.endswith("_password")}
            secret |= {f"{name}__{key}": each for key, each in value.items() if key.endswith("_password")}
        elif name == "jwt_secret" or (name == "database_url" and _may_hold_secret(value)):
            secret[name] = value
        else:
            public[name] = value
    if "database_url" in secret:
        # The reader of the file would take ${…} for a variable; %24 means the same in a URL.
        secret["database_url"] = secret["database_url"].replace("$", "%24")
    return public, secret


def _may_hold_secret(url: str) -> bool:
    """Whether a URL names a user or has a query; drivers read passwords, tokens and keys from both."""
    return "@" in url or "?" in url


def _toml_text(values: Mapping[str, Any]) -> str:
    lines = [TOML_HEAD]
    lines += [
        f"{name} = {_toml_value(value)}" for name, value in values.items() if not isinstance(value, dict)
    ]
    for name, section in values.items():
        if isinstance(section, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_toml_value(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: str | bool) -> str:
    # JSON writes strings and booleans as TOML does, but for DEL (TOML 1.0, section String).
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _secrets_text(values: Mapping[str, str]) -> str:
    lines = [SECRETS_HEAD]
    for name, value in values.items():
        if "${" in value or "\n" in value or "\r" in value:
            raise ConfigurationError(
                f"{name} cannot stand in {DEFAULT_SECRETS}, since it has a line break or ${{; "
                f"set REGSTACK_{name.upper()} in the environment instead"
            )
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"REGSTACK_{name.upper()}='{escaped}'")
    return "\n".join(lines) + "\n"
