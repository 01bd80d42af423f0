"""Identifiers: canonical lower-case UUIDv7 strings, made by core alone (RFC 9562, section 5.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from uuid_utils import uuid7

from regstack.models.instant import to_milliseconds

if TYPE_CHECKING:
    from regstack.auth.clock import Clock

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id(clock: Clock) -> str:
    """Make an id that sorts by the clock's time and cannot be guessed from its neighbours."""
    return str(uuid7(nanoseconds=to_milliseconds(clock.now()) * 1_000_000))


def is_id(value: str) -> bool:
    """Say whether the text is an id in the one spelling that regstack uses."""
    return _CANONICAL.fullmatch(value) is not None
