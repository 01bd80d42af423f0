"""A sign-in at an external provider, linked to an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class OAuthIdentity:
    """Unique by (issuer, subject) and by (user_id, provider).

    Attributes:
        id: canonical UUIDv7.
        user_id: the account.
        provider: the provider's name in the configuration, "google" for example.
        issuer: the OpenID `iss`, or the provider's name where it speaks plain OAuth 2.
        subject: the OpenID `sub` (OpenID Connect Core 1.0, section 5.7): never an email.
        email: what the provider said at linking; for display only.
        linked_at: UTC, milliseconds.
        last_used_at: last sign-in through it.
    """

    id: str
    user_id: str
    provider: str
    issuer: str
    subject: str
    email: str | None
    linked_at: datetime
    last_used_at: datetime | None = None
