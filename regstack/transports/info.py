"""How a plugin describes its transport."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TransportKind(StrEnum):
    """What a transport carries; also the section of the settings that names it."""

    EMAIL = "email"
    SMS = "sms"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportInfo:
    """How a plugin describes its transport, without importing its library.

    Attributes:
        name: what `email.backend` or `sms.backend` calls it, unique among transports of its kind.
        kind: what it carries.
        api_version: `regstack.plugins.specs.API_VERSION` that it was written for.
        summary: one line for people.
        library: distribution name of the library that it needs, empty where it needs none.
    """

    name: str
    kind: TransportKind
    api_version: int
    summary: str
    library: str = ""
