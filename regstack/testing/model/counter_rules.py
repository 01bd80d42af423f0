"""Revoked tokens and counted attempts."""

# ruff: noqa: D102 - a rule is named after the operation that it calls

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from regstack.testing.model.rules import (
    ATTEMPTS,
    BATCHES,
    DELAYS,
    GRACES,
    JTIS,
    LIFETIMES,
    MILLISECOND,
    Rules,
    only_with,
)

WINDOWS = st.sampled_from(
    [
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(seconds=1, microseconds=700),
        MILLISECOND,
    ]
)


class CounterRules(Rules):
    """Every operation of `blacklist` and `attempts`."""

    @rule(target=JTIS, again=st.one_of(st.none(), JTIS), lifetime=LIFETIMES)
    @only_with("blacklist")
    def blacklist_revoke(self, again: str | None, lifetime: timedelta) -> str:
        jti = again or self.names.id("jti")
        self.call("blacklist.revoke", jti, self.expiry(lifetime))
        return jti

    @rule(jti=JTIS)
    @only_with("blacklist")
    def blacklist_is_revoked(self, jti: str) -> None:
        self.call("blacklist.is_revoked", jti)

    @rule(grace=GRACES, batch=BATCHES)
    @only_with("blacklist")
    def blacklist_purge_expired(self, grace: timedelta, batch: int) -> None:
        self.call("blacklist.purge_expired", self.moment(timedelta()), grace=grace, batch=batch)

    @rule(target=ATTEMPTS)
    @only_with("attempts")
    def another_key(self) -> str:
        """Name a key without attempts."""
        return self.names.hash("attempt_key")

    @rule(key=ATTEMPTS, limit=st.integers(0, 3), window=WINDOWS, delay=DELAYS)
    @only_with("attempts")
    def attempts_claim(self, key: str, limit: int, window: timedelta, delay: timedelta) -> None:
        self.end_at(self.moment(delay + window))
        self.call("attempts.claim", key, limit=limit, window=window, now=self.moment(delay))

    @rule(key=ATTEMPTS, window=WINDOWS, delay=DELAYS)
    @only_with("attempts")
    def attempts_record_failure(self, key: str, window: timedelta, delay: timedelta) -> None:
        self.end_at(self.moment(delay + window))
        self.call("attempts.record_failure", key, window=window, now=self.moment(delay))

    @rule(key=ATTEMPTS, window=WINDOWS, delay=DELAYS)
    @only_with("attempts")
    def attempts_count_recent(self, key: str, window: timedelta, delay: timedelta) -> None:
        self.call("attempts.count_recent", key, window, self.moment(delay))

    @rule(key=ATTEMPTS, at_most=st.one_of(st.none(), st.integers(0, 3)))
    @only_with("attempts")
    def attempts_clear(self, key: str, at_most: int | None) -> None:
        self.call("attempts.clear", key, at_most=at_most)

    @rule(grace=GRACES, batch=BATCHES)
    @only_with("attempts")
    def attempts_purge_expired(self, grace: timedelta, batch: int) -> None:
        self.call("attempts.purge_expired", self.moment(timedelta()), grace=grace, batch=batch)
