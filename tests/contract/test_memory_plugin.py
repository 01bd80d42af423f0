"""The reference backend as a plugin."""

from __future__ import annotations

import subprocess
import sys

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.plugins.registry import PluginRegistry
from regstack.testing.memory import MemoryBackend


def test_the_memory_url_builds_backends_that_share_nothing() -> None:
    registry = PluginRegistry.discover()
    config = RegStackConfig(database_url="memory://")
    one, other = (registry.create_backend(config, FrozenClock()) for _ in range(2))
    assert isinstance(one, MemoryBackend)
    assert isinstance(other, MemoryBackend)
    assert one.store is not other.store


def test_describing_the_backend_imports_no_pydantic_and_no_web_framework() -> None:
    code = (
        "import sys\n"
        "from regstack.testing import memory_plugin\n"
        "memory_plugin.regstack_backend_info()\n"
        "print([name for name in ('pydantic', 'fastapi', 'starlette', 'pytest') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
