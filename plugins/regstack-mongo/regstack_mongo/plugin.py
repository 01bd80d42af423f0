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
        name=BackendKind.MONGO,
        url_schemes=("mongodb", "mongodb+srv"),
        # As a number: an import would claim whichever version the installed regstack has.
        api_version=1,
        capabilities=frozenset(
            {Capability.MULTI_PROCESS, Capability.NATIVE_EXPIRY, Capability.MFA_CODES, Capability.OAUTH}
        ),
        summary="MongoDB 5.0 or newer, a replica set or a single server",
        driver="pymongo",
    )


@hookimpl
def regstack_create_backend(config: RegStackConfig, clock: Clock) -> Backend:
    """Build the backend, without I/O."""
    from regstack_mongo.backend import MongoBackend  # noqa: PLC0415 - imports the driver

    return MongoBackend(config=config, clock=clock)
