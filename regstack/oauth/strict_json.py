"""JSON from outside, read without the liberties that Python's reader takes."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: bytes | str) -> Any:
    """Read one JSON value (RFC 8259).

    Raises:
        ValueError: it is not JSON in UTF-8, a member is there twice (two readers could take two
            different ones: RFC 8725, section 2.4), a number is none, or it is nested too deeply.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(decoded, object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
