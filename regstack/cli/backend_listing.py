"""`regstack doctor --list-backends`: what is installed, without importing a driver."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from regstack.cli.columns import columns
from regstack.plugins.registry import STRICT_VARIABLE, PluginRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regstack.plugins.record import PluginRecord

HEADER = ("NAME", "STATE", "DISTRIBUTION", "API", "SCHEMES", "DETAIL")


def lenient_registry() -> PluginRegistry:
    """Find the plugins even where `REGSTACK_STRICT_PLUGINS` would refuse them.

    What a plugin prints while it is imported goes to standard error, so that it cannot spoil JSON.
    """
    environ = {name: value for name, value in os.environ.items() if name != STRICT_VARIABLE}
    with contextlib.redirect_stdout(sys.stderr):
        return PluginRegistry.discover(environ=environ)


def _detail(record: PluginRecord) -> str:
    """Say in one line what a person needs to know about a plugin."""
    return " → ".join(part for part in (record.reason, record.next_step) if part) or record.summary


def print_backends(*, as_json: bool) -> None:
    """Print every plugin with its state."""
    records = lenient_registry().records
    print(json.dumps(_as_json(records), indent=2) if as_json else _as_text(records))


def _as_text(records: Iterable[PluginRecord]) -> str:
    """Give the records as a table."""
    rows = [
        (
            record.name,
            record.state,
            record.origin,
            "-" if record.api_version is None else str(record.api_version),
            " ".join(f"{scheme}://" for scheme in record.url_schemes) or "-",
            _detail(record),
        )
        for record in records
    ]
    return columns(HEADER, rows) if rows else 'no backend is installed; pip install "regstack[sqlite]"'


def _as_json(records: Iterable[PluginRecord]) -> dict[str, Any]:
    """Give the records as a value for `json.dumps`."""
    return {
        "backends": [
            {
                "name": record.name,
                "state": str(record.state),
                "distribution": record.distribution,
                "version": record.version,
                "entry_point": record.entry_point,
                "api_version": record.api_version,
                "url_schemes": list(record.url_schemes),
                "capabilities": sorted(str(capability) for capability in record.capabilities),
                "summary": record.summary,
                "driver": record.driver,
                "reason": record.reason,
                "next_step": record.next_step,
            }
            for record in records
        ]
    }
