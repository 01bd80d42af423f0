"""Which settings files a command reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from regstack.config.schema import RegStackConfig


@dataclass(frozen=True, slots=True)
class SettingsFiles:
    """The files named by the options `--config` and `--secrets`.

    Attributes:
        toml: the TOML file, None where the default places are searched.
        secrets: the secrets file, likewise.
    """

    toml: Path | None = None
    secrets: Path | None = None

    def load(self) -> RegStackConfig:
        """Read the settings.

        Raises:
            ConfigurationError: a file is missing or a setting is wrong; the message says which.
        """
        from regstack.config.schema import RegStackConfig

        return RegStackConfig.load(self.toml, self.secrets)


def files_of(context: typer.Context) -> SettingsFiles:
    """Give the files that the global options named."""
    return context.find_object(SettingsFiles) or SettingsFiles()
