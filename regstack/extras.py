"""Libraries that only some settings need, each brought by an extra of the distribution."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

OLDEST_VERSION: Final = "1.0.0.dev0"
"""The first version that has these extras."""


def pip_install(extra: str) -> str:
    """Give the command that brings what an extra names.

    With the version, since pip would rather take an unrelated older line than fail.
    """
    return f'pip install "regstack[{extra}]>={OLDEST_VERSION}"'


def load_library(module: str, *, extra: str, needed_by: str) -> ModuleType:
    """Import a library where it is needed, and not before: it may be large, or not installed.

    Args:
        module: what to import.
        extra: what brings it.
        needed_by: the setting or command that needs it, for the message.

    Raises:
        ConfigurationError: it, or something that it needs, is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"{needed_by} needs {error.name or module}, which is not installed: {pip_install(extra)}"
        ) from error
