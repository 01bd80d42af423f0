"""Which extra brings a backend or the library of a transport."""

from __future__ import annotations

from typing import Final

from regstack.backends.base import BackendKind
from regstack.extras import pip_install
from regstack.transports.info import TransportKind

_HINTS: Final = {
    "sqlite": BackendKind.SQLITE,
    "sqlite+aiosqlite": BackendKind.SQLITE,
    "postgres": BackendKind.POSTGRES,
    "postgresql": BackendKind.POSTGRES,
    "postgresql+asyncpg": BackendKind.POSTGRES,
    "mongodb": BackendKind.MONGO,
    "mongodb+srv": BackendKind.MONGO,
}

_TRANSPORT_EXTRAS: Final = {TransportKind.EMAIL: ("smtp", "ses"), TransportKind.SMS: ("sns", "twilio")}


def backend_name(scheme: str) -> str:
    """Give the name that the plugin for this scheme would have."""
    return _HINTS.get(scheme) or scheme.partition("+")[0]


def install_hint(scheme: str) -> str:
    """Say in one sentence what to install for this scheme."""
    kind = _HINTS.get(scheme)
    if kind is not None:
        return f"Install it: {pip_install(kind)}."
    extras = ", ".join(pip_install(kind) for kind in BackendKind)
    return (
        f"Install the distribution that brings a backend for {scheme}:// URLs, "
        f"or use one of regstack's own: {extras}."
    )


def transport_hint(name: str, kind: TransportKind) -> str:
    """Say in one sentence what to install for a transport that is not there."""
    extras = ", ".join(pip_install(extra) for extra in _TRANSPORT_EXTRAS[kind])
    return (
        f"Install the distribution that brings {name!r}, or use one of regstack's own, "
        f"which may need their library: {extras}."
    )
