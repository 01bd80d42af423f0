"""Short one-time codes."""

# ruff: noqa: D102 - a rule is named after the operation that it calls

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, rule

from regstack.models.mfa_code import MfaCode, MfaKind
from regstack.testing.model.hostile import OPTIONAL_TEXTS
from regstack.testing.model.rules import BATCHES, DELAYS, GRACES, LIFETIMES, USERS, Rules, only_with


class SentCode(NamedTuple):
    """What is needed to present a code."""

    user: str
    kind: str
    code_hash: str


CODES: Bundle[SentCode] = Bundle("codes")


class CodeRules(Rules):
    """Every operation of `mfa_codes`."""

    @initialize(target=CODES)
    def no_code(self) -> Any:
        """Name a code that was never sent, and those that were."""
        never = SentCode(self.names.id("nobody"), MfaKind.LOGIN, self.names.hash("no_code"))
        return multiple(never, *(SentCode(*sent) for sent in self.before.codes))

    @rule(
        target=CODES,
        user=USERS,
        kind=st.sampled_from(MfaKind),
        proves=OPTIONAL_TEXTS,
        max_attempts=st.integers(1, 3),
        attempts=st.sampled_from([0, 0, 0, 1]),
        lifetime=LIFETIMES,
    )
    @only_with("mfa_codes")
    def mfa_codes_put(
        self,
        user: str,
        kind: MfaKind,
        proves: str | None,
        max_attempts: int,
        attempts: int,
        lifetime: timedelta,
    ) -> SentCode:
        code = MfaCode(
            user_id=user,
            kind=kind,
            code_hash=self.names.hash("code"),
            target=proves,
            max_attempts=max_attempts,
            created_at=self.twin.clock.now(),
            expires_at=self.expiry(lifetime),
            attempts=attempts,
        )
        self.call("mfa_codes.put", code)
        return SentCode(user, kind, code.code_hash)

    @rule(sent=CODES, right=st.booleans(), delay=DELAYS)
    @only_with("mfa_codes")
    def mfa_codes_verify(self, sent: SentCode, right: bool, delay: timedelta) -> None:
        guess = sent.code_hash if right else self.names.hash("guess")
        self.call("mfa_codes.verify", sent.user, sent.kind, guess, self.moment(delay))

    @rule(sent=CODES)
    @only_with("mfa_codes")
    def mfa_codes_find(self, sent: SentCode) -> None:
        self.call("mfa_codes.find", sent.user, sent.kind)

    @rule(sent=CODES)
    @only_with("mfa_codes")
    def mfa_codes_delete(self, sent: SentCode) -> None:
        self.call("mfa_codes.delete", sent.user, sent.kind)

    @rule(grace=GRACES, batch=BATCHES)
    @only_with("mfa_codes")
    def mfa_codes_purge_expired(self, grace: timedelta, batch: int) -> None:
        self.call("mfa_codes.purge_expired", self.moment(timedelta()), grace=grace, batch=batch)
