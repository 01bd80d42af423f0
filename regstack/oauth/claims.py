"""Claims about a person (OpenID Connect Core 1.0, section 5.1), as text that may be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regstack.models.line import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EMAIL = 320
MAX_NAME = 200


def email_in(claims: Mapping[str, Any], name: str = "email") -> str | None:
    """Give the address; None where there is none, or it is more than one line of text."""
    email = claims.get(name)
    if not isinstance(email, str) or not 0 < len(email) <= MAX_EMAIL or one_line(email, MAX_EMAIL) != email:
        return None
    return email


def name_in(claims: Mapping[str, Any], name: str = "name") -> str | None:
    """Give the person's name, as one line; None where there is none."""
    value = claims.get(name)
    return (one_line(value, MAX_NAME) or None) if isinstance(value, str) else None
