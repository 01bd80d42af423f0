"""Registrations that wait for confirmation."""

# ruff: noqa: D102 - a rule is named after the operation that it calls

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from regstack.models.email_address import EmailAddress
from regstack.models.pending import PendingRegistration
from regstack.testing.model.hostile import ADDRESSES, OPTIONAL_TEXTS
from regstack.testing.model.rules import (
    BATCHES,
    DELAYS,
    GRACES,
    LIFETIMES,
    PENDING_TOKENS,
    USERS,
    Rules,
    canonical,
    only_with,
)


class PendingRules(Rules):
    """Every operation of `pending`."""

    @rule(
        target=PENDING_TOKENS,
        email=ADDRESSES,
        name=OPTIONAL_TEXTS,
        lifetime=LIFETIMES,
        account=st.one_of(st.none(), USERS),
        own_address=st.booleans(),
        for_account=st.booleans(),
    )
    @only_with("pending")
    def pending_put(
        self,
        email: EmailAddress,
        name: str | None,
        lifetime: timedelta,
        account: str | None,
        own_address: bool,
        for_account: bool,
    ) -> str:
        user_id = canonical(account)
        stored = self.stored(user_id) if user_id is not None else None
        if stored is not None and own_address:
            email = EmailAddress(stored.email, stored.email_key)
        pending = PendingRegistration(
            token_hash=self.names.hash("pending_token"),
            user_id=user_id or self.names.id("user"),
            email=email.address,
            email_key=email.key,
            hashed_password=self.names.hash("password"),
            full_name=name,
            created_at=self.twin.clock.now(),
            expires_at=self.expiry(lifetime),
            for_account=for_account and stored is not None,  # core makes such a row of an account
        )
        self.call("pending.put", pending)
        return pending.token_hash

    @rule(target=PENDING_TOKENS, token=PENDING_TOKENS, lifetime=LIFETIMES, delay=DELAYS)
    @only_with("pending")
    def pending_rotate(self, token: str, lifetime: timedelta, delay: timedelta) -> str:
        new, expiry = self.names.hash("pending_token"), self.expiry(lifetime)
        self.call("pending.rotate", token, token_hash=new, expires_at=expiry, now=self.moment(delay))
        return new

    @rule(email=ADDRESSES)
    @only_with("pending")
    def pending_find_by_email(self, email: EmailAddress) -> None:
        self.call("pending.find_by_email", email.key)

    @rule(token=PENDING_TOKENS)
    @only_with("pending")
    def pending_find_by_token_hash(self, token: str) -> None:
        self.call("pending.find_by_token_hash", token)

    @rule(token=PENDING_TOKENS, delay=DELAYS)
    @only_with("pending")
    def pending_consume(self, token: str, delay: timedelta) -> None:
        self.call("pending.consume", token, self.moment(delay))

    @rule(email=ADDRESSES)
    @only_with("pending")
    def pending_delete_by_email(self, email: EmailAddress) -> None:
        self.call("pending.delete_by_email", email.key)

    @rule()
    @only_with("pending")
    def pending_count_unexpired(self) -> None:
        self.call("pending.count_unexpired")

    @rule(grace=GRACES, batch=BATCHES)
    @only_with("pending")
    def pending_purge_expired(self, grace: timedelta, batch: int) -> None:
        self.call("pending.purge_expired", self.moment(timedelta()), grace=grace, batch=batch)
