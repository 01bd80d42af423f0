"""The record of security-relevant acts (OWASP ASVS 5.0, V16)."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from regstack.errors import Overloaded
from regstack.models.line import one_line
from regstack.services.caller import current_caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regstack.auth.keys import KeyRing
    from regstack.models.user import User

LOGGER: Final = "regstack.audit"

Outcome = Literal["success", "failure", "refused"]

ACTIONS: Final[dict[str, str]] = {
    "admin_delete": "an administrator deleted an account",
    "admin_promote_pending": "an administrator confirmed a pending registration",
    "admin_resend_verification": "an administrator had a verification link mailed",
    "admin_update": "an administrator changed an account; `changed` names what",
    "administrators_only": "somebody else called an administration route",
    "account_delete": "an owner deleted the account",
    "bootstrap_admin": "an administrator was made at start-up or from the command line",
    "email_change": "an account moved to another address; `reason` of a failure: `password`, `hung_up`",
    "email_change_request": "a link was mailed for it",
    "lockout": "a guess was refused unseen: too many before it; `purpose` names what was guessed; "
    "of a `confirmation`, `account` stands for the link",
    "login": "a sign-in; `reason` of a failure: `credentials`, `disabled`, `unverified`, "
    "`second_factor`, `hung_up` (before the password was looked at)",
    "login_challenge": "the password was right, and a code was texted",
    "login_code": "a texted code was refused at sign-in; `reason`: `wrong`, `over` (expired, used, …)",
    "logout": "a session was ended",
    "mfa_disable": "an owner removed the phone",
    "mfa_enable": "a phone became the second factor; `reason` of a failure: `wrong`, `over`",
    "oauth_claim": "an account with an unconfirmed address was handed to the owner of the address; "
    "everything that opened it before is gone",
    "oauth_link": "an external provider was linked; `provider`, and `reason` of a failure",
    "oauth_login": "a sign-in with an external provider; `provider`, and `reason` of a failure: the word "
    "that the person is shown",
    "oauth_unlink": "an external provider was unlinked; `provider`",
    "password_change": "an owner changed the password",
    "password_reset": "a password was set with a mailed link",
    "password_reset_request": "a reset link was asked for, whether or not there is such an account",
    "phone_start": "a code was texted to a phone that is to be the second factor",
    "rate_limit": "a call was refused: too many before it; `limit` names the setting",
    "reauthentication": "the current password was asked for and was wrong; `reason` where it was not "
    "looked at: `hung_up`",
    "registration": "somebody registered; `reason` of a failure: `taken`",
    "verification": "an address was confirmed with a mailed link; `reason` of a failure: `password`, "
    "`hung_up`",
    "verification_request": "a new verification link was asked for, whether or not one was due",
}
"""Every act that is recorded, and what it means."""


class Audit:
    """Writes one log record for each act: who, what, from where, with what result.

    Records go to the standard logger `regstack.audit`: successes as INFO, all else as WARNING.
    The message reads `action outcome field=value …`; the same fields are in the record's
    attribute `audit`, a dictionary, for handlers that write JSON. Fields:

    - `action`, `outcome`;
    - `user`: id of the account that it happened to, where there is one;
    - `account`: 16 hexadecimal digits that stand for its address, the same for every record of
      that address, existing or not (HMAC; only who has `jwt_secret` can tell which);
    - `actor`: id of the account that was signed in;
    - `address`: where the request came from;
    - and what the action adds.

    No password, token, code or address of a person is ever in them.

    Args:
        keys: key of the fingerprints.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._logger = logging.getLogger(LOGGER)

    def record(
        self,
        action: str,
        outcome: Outcome = "success",
        *,
        user: User | None = None,
        account: str | None = None,
        **details: str,
    ) -> None:
        """Record an act.

        Args:
            action: a key of `ACTIONS`.
            outcome: `refused` is a failure by a rule and not by what was presented.
            user: the account that it happened to.
            account: its email key, where there is no `user`.
            **details: what else to tell; from a fixed set of words, never what somebody typed.

        Raises:
            KeyError: there is no such action.
        """
        ACTIONS[action]  # a record that no page describes would be a mistake of ours
        level = logging.INFO if outcome == "success" else logging.WARNING
        if not self._logger.isEnabledFor(level):
            return
        caller = current_caller()
        key = user.email_key if user is not None else account
        known = {
            "user": user.id if user is not None else None,
            "account": self._keys.fingerprint("audit", key)[:16] if key is not None else None,
            "actor": caller.user_id if caller is not None else None,
            "address": caller.address if caller is not None else None,
        }
        fields = {name: value for name, value in known.items() if value is not None} | details
        text = " ".join(f"{name}={one_line(value, 100)}" for name, value in fields.items())
        record = {"action": action, "outcome": outcome} | fields
        self._logger.log(level, "%s %s %s", action, outcome, text, extra={"audit": record})

    @contextmanager
    def hang_ups(
        self, action: str, *, user: User | None = None, account: str | None = None
    ) -> Iterator[None]:
        """Record that somebody paid for a guess, and hung up before it was looked at.

        Args:
            action: what was guessed at, a key of `ACTIONS`.
            user: see `record`.
            account: see `record`.
        """
        try:
            yield
        except Overloaded:
            self.record(action, "failure", user=user, account=account, reason="hung_up")
            raise
