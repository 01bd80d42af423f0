"""`regstack doctor --list-transports`: what is installed, without importing a library of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from regstack.cli.columns import columns
from regstack.cli.plugin_listing import as_json, detail, leniently
from regstack.plugins.transports import TransportRegistry

if TYPE_CHECKING:
    from regstack.plugins.record import TransportRecord

HEADER = ("KIND", "NAME", "STATE", "DISTRIBUTION", "API", "LIBRARY", "DETAIL")


def print_transports(*, to_json: bool) -> None:
    """Print every plugin with its state, the transports of mails first."""
    found = leniently(TransportRegistry).records
    records = sorted(found, key=lambda record: record.kind or "")
    if to_json:
        print(json.dumps({"transports": [_as_json(record) for record in records]}, indent=2))
    elif records:
        print(columns(HEADER, [_row(record) for record in records]))
    else:
        print("no transport is installed; install regstack again")


def _row(record: TransportRecord) -> tuple[str, ...]:
    return (
        record.kind or "-",
        record.name,
        record.state,
        record.origin,
        "-" if record.api_version is None else str(record.api_version),
        record.library or "-",
        detail(record),
    )


def _as_json(record: TransportRecord) -> dict[str, object]:
    kind = None if record.kind is None else str(record.kind)
    return as_json(record) | {"kind": kind, "library": record.library}
