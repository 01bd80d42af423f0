"""What is stored before a program begins, so that most of its calls hit something."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from regstack.models.mfa_code import MfaCode, MfaKind
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.user import User
from regstack.testing.contest import Call
from regstack.testing.model.hostile import EMAILS

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.models.email_address import EmailAddress
    from regstack.testing.model.names import Names
    from regstack.testing.model.twin import Twin

_SOON, _LATER = timedelta(minutes=10), timedelta(hours=1)


class Population:
    """Four accounts, and one or two of everything else.

    Args:
        twin: backend and reference, both empty.
        names: makes ids and hashes.
        repositories: the attributes of the backend that the program uses.

    Attributes:
        users: ids: an administrator, two other accounts, one that is disabled.
        pending_tokens: of an address without account, and of one that waits for an account.
        reset_tokens: of the first two accounts.
        change_tokens: of the second and third, who want the same address.
        jtis: revoked.
        attempt_keys: with one attempt.
        codes: user, kind and hash.
        identities: linked.
        states: without and with a result.
        results: of the latter.
        deadlines: when something of it ends.
    """

    def __init__(self, twin: Twin, names: Names, repositories: frozenset[str]) -> None:
        self._twin = twin
        self._names = names
        self._now = now = twin.clock.now()
        self.deadlines: list[datetime] = [now + _SOON, now + _LATER]
        self.users: list[str] = []
        self.pending_tokens: list[str] = []
        self.reset_tokens: list[str] = []
        self.change_tokens: list[str] = []
        self.jtis: list[str] = []
        self.attempt_keys: list[str] = []
        self.codes: list[tuple[str, str, str]] = []
        self.identities: list[OAuthIdentity] = []
        self.states: list[str] = []
        self.results: list[str] = []
        self._make_accounts()
        if "pending" in repositories:
            self._make_registrations()
        if "blacklist" in repositories:
            self.jtis.append(names.id("jti"))
            self._call("blacklist.revoke", self.jtis[0], now + _SOON)
        if "attempts" in repositories:
            self.attempt_keys.append(names.hash("attempt_key"))
            self._call("attempts.claim", self.attempt_keys[0], limit=2, window=_SOON, now=now)
        if "mfa_codes" in repositories:
            self._send_codes()
        if "oauth_identities" in repositories:
            self._link()
        if "oauth_states" in repositories:
            self._begin_flows()

    def _call(self, operation: str, *args: Any, **kwargs: Any) -> None:
        self._twin.call(Call(operation, args, kwargs))

    def _make_accounts(self) -> None:
        for number, email in enumerate((EMAILS[0], EMAILS[3], EMAILS[6], EMAILS[11])):
            user = User.new(
                id=self._names.id("user"),
                email=email.address,
                email_key=email.key,
                hashed_password=self._names.hash("password"),
                full_name=("Ada Lovelace", "Straße", None, "a%")[number],
                now=self._now,
                is_superuser=number == 0,
                is_verified=number < 2,
            )
            self._call("users.create", replace(user, is_active=number < 3))
            self.users.append(user.id)
        for user_id in self.users[:2]:
            self.reset_tokens.append(self._names.hash("reset_token"))
            self._call("users.put_reset_token", user_id, self.reset_tokens[-1], self._now + _LATER)
        for user_id in self.users[1:3]:
            self.change_tokens.append(self._names.hash("change_token"))
            self._call(
                "users.put_email_change", user_id, self.change_tokens[-1], EMAILS[9], self._now + _LATER
            )

    def _make_registrations(self) -> None:
        self._register(EMAILS[7], self._names.id("user"), _SOON, for_account=False)
        self._register(EMAILS[6], self.users[2], _LATER, for_account=True)

    def _register(self, email: EmailAddress, user_id: str, lifetime: timedelta, *, for_account: bool) -> None:
        self.pending_tokens.append(self._names.hash("pending_token"))
        pending = PendingRegistration(
            token_hash=self.pending_tokens[-1],
            user_id=user_id,
            email=email.address,
            email_key=email.key,
            hashed_password=self._names.hash("password"),
            full_name="Grace Hopper",
            created_at=self._now,
            expires_at=self._now + lifetime,
            for_account=for_account,
        )
        self._call("pending.put", pending)

    def _send_codes(self) -> None:
        sent = (
            (self.users[0], MfaKind.LOGIN),
            (self.users[0], MfaKind.PHONE_SETUP),
            (self.users[1], MfaKind.LOGIN),
        )
        for user_id, kind in sent:
            code = MfaCode(
                user_id=user_id,
                kind=kind,
                code_hash=self._names.hash("code"),
                target="+41446681800",
                max_attempts=2,
                created_at=self._now,
                expires_at=self._now + _SOON,
            )
            self._call("mfa_codes.put", code)
            self.codes.append((user_id, kind, code.code_hash))

    def _link(self) -> None:
        for user_id, provider in (
            (self.users[0], "google"),
            (self.users[0], "Google"),
            (self.users[1], "google"),
        ):
            identity = OAuthIdentity(
                id=self._names.id("identity"),
                user_id=user_id,
                provider=provider,
                issuer=f"https://{provider}.example",
                subject=user_id,
                email=None,
                linked_at=self._now,
            )
            self._call("oauth_identities.create", identity)
            self.identities.append(identity)

    def _begin_flows(self) -> None:
        for linking in (None, self.users[0]):
            state = OAuthState(
                state_hash=self._names.hash("state"),
                provider="google",
                browser_hash=self._names.hash("browser"),
                redirect_to="/",
                linking_user_id=linking,
                created_at=self._now,
                expires_at=self._now + _SOON,
            )
            self._call("oauth_states.create", state)
            self.states.append(state.state_hash)
        self.results.append(self._names.hash("result"))
        self._call(
            "oauth_states.set_result",
            self.states[1],
            result_hash=self.results[0],
            user_id=self.users[0],
            token_version=0,
            was_new_account=False,
            expires_at=self._now + _SOON,
            now=self._now,
        )
