"""The rows of the reference backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from regstack.models.instant import instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from regstack.models.email_address import EmailAddress
    from regstack.models.mfa_code import MfaCode
    from regstack.models.oauth_identity import OAuthIdentity
    from regstack.models.oauth_state import OAuthState
    from regstack.models.pending import PendingRegistration
    from regstack.models.user import User

K = TypeVar("K")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ResetToken:
    """The one valid password-reset token of a user."""

    token_hash: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EmailChange:
    """The one valid email-change token of a user."""

    token_hash: str
    new_email: EmailAddress
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptWindow:
    """The counted attempts of one key."""

    opened_at: datetime
    expires_at: datetime
    count: int


@dataclass(slots=True)
class MemoryStore:
    """One database: what several `MemoryBackend`s may share.

    Attributes:
        installed: the schema was installed.
        users: by id.
        reset_tokens: by user id.
        email_changes: by user id.
        pending: by email key.
        revocations: expiry by `jti`.
        attempts: by key.
        mfa_codes: by user id and kind.
        identities: by id.
        states: by state hash.
    """

    installed: bool = False
    users: dict[str, User] = field(default_factory=dict)
    reset_tokens: dict[str, ResetToken] = field(default_factory=dict)
    email_changes: dict[str, EmailChange] = field(default_factory=dict)
    pending: dict[str, PendingRegistration] = field(default_factory=dict)
    revocations: dict[str, datetime] = field(default_factory=dict)
    attempts: dict[str, AttemptWindow] = field(default_factory=dict)
    mfa_codes: dict[tuple[str, str], MfaCode] = field(default_factory=dict)
    identities: dict[str, OAuthIdentity] = field(default_factory=dict)
    states: dict[str, OAuthState] = field(default_factory=dict)


def drop_where(rows: dict[K, R], condition: Callable[[R], bool]) -> int:
    """Delete the rows that meet the condition; answers how many."""
    keys = [key for key, row in rows.items() if condition(row)]
    for key in keys:
        del rows[key]
    return len(keys)


def drop_expired(
    rows: dict[K, R],
    expires_at: Callable[[R], datetime],
    now: datetime,
    grace: timedelta,
    batch: int,
) -> int:
    """Delete, `batch` at a time, the rows that expired `grace` ago or earlier; answers how many."""
    now = instant(now)
    deleted = 0
    while keys := list(islice((key for key, row in rows.items() if now - expires_at(row) >= grace), batch)):
        for key in keys:
            del rows[key]
        deleted += len(keys)
    return deleted
