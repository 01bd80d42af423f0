"""Accounts: passwords, sessions, and tokens that are mailed."""

# ruff: noqa: D102 - a rule is named after the operation that it calls

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import rule

from regstack.testing.model.hostile import ADDRESSES
from regstack.testing.model.rules import (
    CHANGE_TOKENS,
    DELAYS,
    GUARDS,
    LIFETIMES,
    RESET_TOKENS,
    USERS,
    Rules,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from regstack.models.email_address import EmailAddress


class CredentialRules(Rules):
    """The operations of `users` that decide who gets in."""

    @rule(user=USERS, right=st.booleans())
    def users_rehash_password(self, user: str, right: bool) -> None:
        stored = self.stored(user)
        old = stored.hashed_password if stored is not None and right else None
        new = self.names.hash("password")
        self.call("users.rehash_password", user, old_hash=old or "another hash", new_hash=new)

    @rule(user=USERS, guard=GUARDS, dropped=st.booleans())
    def users_set_password(self, user: str, guard: str, dropped: bool) -> None:
        hashed = None if dropped else self.names.hash("password")
        self.call("users.set_password", user, hashed, token_version=self.version(user, guard))

    @rule(user=USERS)
    def users_invalidate_tokens(self, user: str) -> None:
        self.call("users.invalidate_tokens", user)

    @rule(user=USERS, guard=GUARDS.filter(lambda guard: guard != "none"))
    def users_hand_over(self, user: str, guard: str) -> None:
        self.call("users.hand_over", user, token_version=self.version(user, guard))

    @rule(target=RESET_TOKENS, user=USERS, lifetime=LIFETIMES, guard=GUARDS)
    def users_put_reset_token(self, user: str, lifetime: timedelta, guard: str) -> str:
        token, expiry = self.names.hash("reset_token"), self.expiry(lifetime)
        self.call("users.put_reset_token", user, token, expiry, token_version=self.version(user, guard))
        return token

    @rule(token=RESET_TOKENS, delay=DELAYS)
    def users_reset_password(self, token: str, delay: timedelta) -> None:
        self.call("users.reset_password", token, self.names.hash("password"), self.moment(delay))

    @rule(target=CHANGE_TOKENS, user=USERS, email=ADDRESSES, lifetime=LIFETIMES, guard=GUARDS)
    def users_put_email_change(self, user: str, email: EmailAddress, lifetime: timedelta, guard: str) -> str:
        token, expiry = self.names.hash("change_token"), self.expiry(lifetime)
        version = self.version(user, guard)
        self.call("users.put_email_change", user, token, email, expiry, token_version=version)
        return token

    @rule(token=CHANGE_TOKENS, delay=DELAYS)
    def users_confirm_email_change(self, token: str, delay: timedelta) -> None:
        self.call("users.confirm_email_change", token, self.moment(delay))
