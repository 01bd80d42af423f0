"""Values for tests: valid, distinct, and made at the time of a clock."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from regstack.models.email_address import EmailAddress
from regstack.models.ids import new_id
from regstack.models.mfa_code import MfaCode, MfaKind
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.user import User

if TYPE_CHECKING:
    from regstack.auth.clock import Clock

HOUR = timedelta(hours=1)


class Builder:
    """Makes domain values; every keyword replaces one of their fields.

    Nothing is stored: hand the value to a repository. Two values never share a key.

    Args:
        clock: tells when the values are made.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def id(self) -> str:
        """Make an id."""
        return new_id(self.clock)

    def hash(self) -> str:
        """Make what a token's SHA-256 looks like: 64 hexadecimal digits."""
        return secrets.token_hex(32)

    def password_hash(self) -> str:
        """Make what a password's hash looks like; no password fits it."""
        return f"$argon2id$v=19$m=8,t=1,p=1${secrets.token_urlsafe(16)}${secrets.token_urlsafe(32)}"

    def email(self) -> EmailAddress:
        """Make an address whose written form differs from its key."""
        name = secrets.token_hex(8)
        return EmailAddress(address=f"Ada.{name}@Example.com", key=f"ada.{name}@example.com")

    def user(self, **fields: Any) -> User:
        """Make an account: active, unverified, without second factor."""
        email = self.email()
        user = User.new(
            id=self.id(),
            email=email.address,
            email_key=email.key,
            hashed_password=self.password_hash(),
            now=self.clock.now(),
            full_name="Ada Lovelace",
        )
        return replace(user, **fields)

    def pending(self, **fields: Any) -> PendingRegistration:
        """Make a registration that can be confirmed for an hour."""
        email = self.email()
        now = self.clock.now()
        pending = PendingRegistration(
            token_hash=self.hash(),
            user_id=self.id(),
            email=email.address,
            email_key=email.key,
            hashed_password=self.password_hash(),
            full_name="Grace Hopper",
            created_at=now,
            expires_at=now + HOUR,
        )
        return replace(pending, **fields)

    def code(self, user_id: str, **fields: Any) -> MfaCode:
        """Make a sign-in code of a user, good for an hour and five guesses."""
        now = self.clock.now()
        code = MfaCode(
            user_id=user_id,
            kind=MfaKind.LOGIN,
            code_hash=self.hash(),
            target="+41446681800",
            max_attempts=5,
            created_at=now,
            expires_at=now + HOUR,
        )
        return replace(code, **fields)

    def identity(self, user_id: str, **fields: Any) -> OAuthIdentity:
        """Make a Google identity of a user."""
        identity = OAuthIdentity(
            id=self.id(),
            user_id=user_id,
            provider="google",
            issuer="https://accounts.google.com",
            subject=secrets.token_hex(10),
            email="ada@example.com",
            linked_at=self.clock.now(),
        )
        return replace(identity, **fields)

    def state(self, **fields: Any) -> OAuthState:
        """Make a sign-in flow that has just been sent to Google, good for an hour."""
        now = self.clock.now()
        state = OAuthState(
            state_hash=self.hash(),
            provider="google",
            browser_hash=self.hash(),
            redirect_to="/welcome",
            linking_user_id=None,
            created_at=now,
            expires_at=now + HOUR,
        )
        return replace(state, **fields)
