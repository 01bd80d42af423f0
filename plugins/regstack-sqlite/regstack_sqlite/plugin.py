"""The hooks by which regstack finds this backend; imports no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack import hookimpl
from regstack.backends.base import BackendInfo, BackendKind, Capability

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.backends.base import Backend
    from regstack.config.schema import RegStackConfig


@hookimpl
def regstack_backend_info() -> BackendInfo:
    """Describe the backend."""
    return BackendInfo(
        name=BackendKind.SQLITE,
        url_schemes=("sqlite", "sqlite+aiosqlite"),
        # As a number: an import would claim whichever version the installed regstack has.
        api_version=1,
        capabilities=frozenset(
            {Capability.MULTI_PROCESS, Capability.TRANSACTIONS, Capability.MFA_CODES, Capability.OAUTH}
        ),
        summary="SQLite, in one file or in memory",
        driver="aiosqlite",
    )


@hookimpl
def regstack_create_backend(config: RegStackConfig, clock: Clock) -> Backend:
    """Build the backend, without I/O."""
    from regstack_sqlite.backend import SqliteBackend  # noqa: PLC0415 - imports the driver

    return SqliteBackend(config=config, clock=clock)
