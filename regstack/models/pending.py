"""A registration that waits for its address to be confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class PendingRegistration:
    """One per email key; the newest replaces the older.

    Attributes:
        token_hash: SHA-256 (hex) of the mailed token.
        user_id: the id that the account will have; where an unverified account of this id
            exists already, the row stands for confirming its address.
        email: the address as written.
        email_key: its canonical form.
        hashed_password: PHC string.
        full_name: as written.
        created_at: UTC, milliseconds.
        expires_at: from this instant on the row is invisible.
        for_account: the account of `user_id` existed when the row was made, and confirms its
            address; such a row never makes an account.
    """

    token_hash: str = field(repr=False)
    user_id: str
    email: str
    email_key: str
    hashed_password: str | None = field(repr=False)
    full_name: str | None
    created_at: datetime
    expires_at: datetime
    for_account: bool = False
