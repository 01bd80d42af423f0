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
        name=BackendKind.POSTGRES,
        url_schemes=("postgresql", "postgresql+asyncpg", "postgres"),
        # As a number: an import would claim whichever version the installed regstack has.
        api_version=1,
        capabilities=frozenset(
            {Capability.MULTI_PROCESS, Capability.TRANSACTIONS, Capability.MFA_CODES, Capability.OAUTH}
        ),
        summary="PostgreSQL 12 or newer",
        driver="asyncpg",
    )


@hookimpl
def regstack_create_backend(config: RegStackConfig, clock: Clock) -> Backend:
    """Build the backend, without I/O."""
    from regstack_postgres.backend import PostgresBackend  # noqa: PLC0415 - imports the driver

    return PostgresBackend(config=config, clock=clock)
