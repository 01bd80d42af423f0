"""What the listings of plugins share."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from regstack.plugins.discovery import STRICT_VARIABLE

if TYPE_CHECKING:
    from regstack.plugins.record import PluginRecord
    from regstack.plugins.registry import PluginRegistry
    from regstack.plugins.transports import TransportRegistry

R = TypeVar("R", "PluginRegistry", "TransportRegistry")


def leniently(registry: type[R]) -> R:
    """Find the plugins even where `REGSTACK_STRICT_PLUGINS` would refuse them.

    What a plugin prints while it is imported goes to standard error, so that it cannot spoil JSON.
    """
    environ = {name: value for name, value in os.environ.items() if name != STRICT_VARIABLE}
    with contextlib.redirect_stdout(sys.stderr):
        return registry.discover(environ=environ)


def detail(record: PluginRecord) -> str:
    """Say in one line what a person needs to know about a plugin."""
    return " → ".join(part for part in (record.reason, record.next_step) if part) or record.summary


def as_json(record: PluginRecord) -> dict[str, Any]:
    """Give what every record has as a value for `json.dumps`."""
    return {
        "name": record.name,
        "state": str(record.state),
        "distribution": record.distribution,
        "version": record.version,
        "entry_point": record.entry_point,
        "api_version": record.api_version,
        "summary": record.summary,
        "reason": record.reason,
        "next_step": record.next_step,
    }
