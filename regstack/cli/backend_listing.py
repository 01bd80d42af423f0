"""`regstack doctor --list-backends`: what is installed, without importing a driver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from regstack.cli.columns import columns
from regstack.cli.plugin_listing import as_json, detail, leniently
from regstack.extras import pip_install
from regstack.plugins.registry import PluginRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regstack.plugins.record import BackendRecord

HEADER = ("NAME", "STATE", "DISTRIBUTION", "API", "SCHEMES", "DETAIL")


def print_backends(*, to_json: bool) -> None:
    """Print every plugin with its state."""
    records = leniently(PluginRegistry).records
    print(json.dumps(_as_json(records), indent=2) if to_json else _as_text(records))


def _as_text(records: Iterable[BackendRecord]) -> str:
    """Give the records as a table."""
    rows = [
        (
            record.name,
            record.state,
            record.origin,
            "-" if record.api_version is None else str(record.api_version),
            " ".join(f"{scheme}://" for scheme in record.url_schemes) or "-",
            detail(record),
        )
        for record in records
    ]
    return columns(HEADER, rows) if rows else f"no backend is installed: {pip_install('sqlite')}"


def _as_json(records: Iterable[BackendRecord]) -> dict[str, Any]:
    """Give the records as a value for `json.dumps`."""
    return {
        "backends": [
            as_json(record)
            | {
                "url_schemes": list(record.url_schemes),
                "capabilities": sorted(str(capability) for capability in record.capabilities),
                "driver": record.driver,
            }
            for record in records
        ]
    }
