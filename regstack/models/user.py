"""The account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.models.pending import PendingRegistration


@dataclass(frozen=True, slots=True)
class User:
    """One account, as a detached snapshot.

    Attributes:
        id: canonical UUIDv7.
        email: the address as its owner wrote it; mail goes here and nowhere else.
        email_key: its canonical form, unique among users (`regstack.models.email_address`).
        hashed_password: PHC string, or None for an account that signs in otherwise.
        full_name: as written; searched by `regstack.models.text.search_key` of it.
        phone_number: E.164, or None.
        is_active: False keeps the owner out.
        is_verified: the owner has shown that mail to `email` arrives.
        is_superuser: administrator.
        is_mfa_enabled: a second factor is asked for.
        token_version: what a token must carry to be accepted; raised by all that ends sessions.
        created_at: UTC, milliseconds, like every datetime here.
        updated_at: last change of anything but `last_login`.
        last_login: last completed sign-in.
        tokens_invalidated_after: when `token_version` was last raised; for display only.
    """

    id: str
    email: str
    email_key: str
    hashed_password: str | None = field(repr=False)
    full_name: str | None
    phone_number: str | None
    is_active: bool
    is_verified: bool
    is_superuser: bool
    is_mfa_enabled: bool
    token_version: int
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None = None
    tokens_invalidated_after: datetime | None = None

    @classmethod
    def new(
        cls,
        *,
        id: str,  # noqa: A002 - the field's own name
        email: str,
        email_key: str,
        hashed_password: str | None,
        now: datetime,
        full_name: str | None = None,
        is_verified: bool = False,
        is_superuser: bool = False,
    ) -> User:
        """Make the account that a registration starts with."""
        return cls(
            id=id,
            email=email,
            email_key=email_key,
            hashed_password=hashed_password,
            full_name=full_name,
            phone_number=None,
            is_active=True,
            is_verified=is_verified,
            is_superuser=is_superuser,
            is_mfa_enabled=False,
            token_version=0,
            created_at=now,
            updated_at=now,
        )


@dataclass(frozen=True, slots=True)
class LoginSubject:
    """What one email key stands for at sign-in: an account, a pending registration, or neither.

    An account hides a pending registration for the same address.
    """

    user: User | None
    pending: PendingRegistration | None


@dataclass(frozen=True, slots=True)
class TokenSubject:
    """The account that an access token speaks for, and whether that very token was revoked."""

    user: User
    revoked: bool
