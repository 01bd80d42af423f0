"""Plugin of the reference backend: `memory://`, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack import hookimpl
from regstack.backends.base import BackendInfo, Capability

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.backends.base import Backend
    from regstack.config.schema import RegStackConfig


@hookimpl
def regstack_backend_info() -> BackendInfo:
    """Describe the reference backend."""
    return BackendInfo(
        name="memory",
        url_schemes=("memory",),
        # As a number: an import would claim whichever version the installed regstack has.
        api_version=1,
        capabilities=frozenset({Capability.MFA_CODES, Capability.OAUTH, Capability.TRANSACTIONS}),
        summary="the storage contract in plain dictionaries, for tests; forgets with the process",
        driver="regstack",
    )


@hookimpl
def regstack_create_backend(config: RegStackConfig, clock: Clock) -> Backend:
    """Build a backend over an empty store of its own."""
    from regstack.testing.memory import MemoryBackend  # noqa: PLC0415 - hooks stay cheap

    return MemoryBackend(config=config, clock=clock)
