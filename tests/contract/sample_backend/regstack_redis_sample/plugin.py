"""The hooks by which regstack finds this backend; imports no driver."""

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
    """Describe the backend."""
    return BackendInfo(
        name="redis",
        url_schemes=("redis", "rediss"),
        api_version=1,
        capabilities=frozenset(
            {Capability.MULTI_PROCESS, Capability.TRANSACTIONS, Capability.MFA_CODES, Capability.OAUTH}
        ),
        summary="Redis 6.2 or newer, one primary",
        driver="redis",
    )


@hookimpl
def regstack_create_backend(config: RegStackConfig, clock: Clock) -> Backend:
    """Build the backend, without I/O."""
    from regstack_redis_sample.backend import RedisBackend

    return RedisBackend(config=config, clock=clock)
