"""What one look at a part of the installation found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a part of the installation is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should know."""
    FAILED = "failed"
    """It does not work, or does not keep what regstack promises."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What `regstack doctor` tells of one part.

    Attributes:
        name: what was looked at.
        status: how it is.
        detail: what was found, without secrets.
        next_step: what to do about it, empty if nothing.
    """

    name: str
    status: Health
    detail: str
    next_step: str = ""
