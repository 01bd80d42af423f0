"""User accounts for FastAPI applications, in the application's own database."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regstack.app import RegStack
    from regstack.config.schema import RegStackConfig
    from regstack.plugins.specs import hookimpl

__all__ = ["RegStack", "RegStackConfig", "__version__", "hookimpl"]

__version__ = "1.0.0.dev0"

_HOMES = {
    "RegStack": "regstack.app",
    "RegStackConfig": "regstack.config.schema",
    "hookimpl": "regstack.plugins.specs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
