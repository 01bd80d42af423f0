"""The configured backend, opened for one command."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from regstack.backends.base import Backend
    from regstack.config.schema import RegStackConfig
    from regstack.plugins.registry import PluginRegistry


@asynccontextmanager
async def opened(config: RegStackConfig) -> AsyncIterator[tuple[PluginRegistry, Backend]]:
    """Give the registry and the backend that it built, and close the backend at the end.

    Raises:
        ConfigurationError: the database URL cannot be read.
        PluginError: no usable plugin takes it.
    """
    from regstack.auth.clock import SystemClock
    from regstack.plugins.registry import PluginRegistry

    registry = PluginRegistry.discover()
    backend = registry.create_backend(config, SystemClock())
    try:
        yield registry, backend
    finally:
        await backend.aclose()
