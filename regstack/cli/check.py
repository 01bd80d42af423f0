"""What one check of `regstack doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found.

    Attributes:
        name: what was looked at.
        status: `ok`, `warning` or `failed`.
        detail: what was found, without secrets.
        next_step: what to do about it, empty if nothing.
    """

    name: str
    status: str
    detail: str
    next_step: str = ""
