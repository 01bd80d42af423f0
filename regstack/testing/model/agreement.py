"""Where the answers of two backends to one call agree."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from regstack.errors import OAuthIdentityAlreadyLinkedError, UserNotFoundError
from regstack.models.mfa_code import MfaCode, MfaOutcome, MfaVerifyResult
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.user import User

if TYPE_CHECKING:
    from regstack.testing.contest import Call, Outcome

ROWS = (User, PendingRegistration, MfaCode, OAuthIdentity, OAuthState)

EXACT_SWEEPS = frozenset({"blacklist.purge_expired", "attempts.purge_expired"})
"""Elsewhere a sweep may also take what nobody can see any more: used up, or of a deleted user."""


def agree(call: Call, came: Outcome, wanted: Outcome, *, stored: int = 0) -> bool:
    """Say whether an answer is as good as the reference's.

    Equal values of equal types, or an error of the same type. The contract leaves open: whether
    an expired code is `EXPIRED` or `MISSING` (MFA-02), which of two conflicts of a link is told
    first, and whether what is used up stays until the sweep, which then counts it.

    Args:
        call: what was called.
        came: the answer in question.
        wanted: the reference's.
        stored: rows that the repository may have been given so far.
    """
    if wanted.error is not None:
        open_choice = call.operation == "oauth_identities.create" and wanted.error is UserNotFoundError
        errors = (wanted.error, OAuthIdentityAlreadyLinkedError) if open_choice else (wanted.error,)
        return came.error is not None and issubclass(came.error, errors)
    if came.error is not None:
        return False
    if call.operation.endswith(".purge_expired") and call.operation not in EXACT_SWEEPS:
        return type(came.value) is int and wanted.value <= came.value <= stored
    return same(_without_choice(came.value), _without_choice(wanted.value))


def same(came: Any, wanted: Any) -> bool:
    """Say whether two values are equal in every part, types included: 1 is not True.

    Moments have to be UTC in whole milliseconds (COM-02), not only the same moment.
    """
    if isinstance(wanted, str):
        return isinstance(came, str) and str(came) == str(wanted)
    if type(came) is not type(wanted):
        return False
    if isinstance(wanted, datetime):
        utc = came.utcoffset() == timedelta() and came.microsecond % 1000 == 0
        return bool(utc and came == wanted)
    if isinstance(wanted, list):
        return len(came) == len(wanted) and all(map(same, came, wanted))
    if is_dataclass(wanted):
        return not differences(came, wanted)
    return bool(came == wanted)


def differences(came: Any, wanted: Any) -> list[str]:
    """Name the fields in which two values of one dataclass differ; empty for anything else."""
    if not is_dataclass(wanted) or type(came) is not type(wanted):
        return []
    names = [field.name for field in fields(wanted)]
    return [name for name in names if not same(getattr(came, name), getattr(wanted, name))]


def spoil(value: Any) -> None:
    """Overwrite a snapshot that a backend gave away, which must not change what is stored (COM-05)."""
    if isinstance(value, list):
        for each in value:
            spoil(each)
        value.clear()
    elif is_dataclass(value):
        for field in fields(value):
            spoil(getattr(value, field.name))
            if isinstance(value, ROWS):
                object.__setattr__(value, field.name, "spoilt")


def _without_choice(value: Any) -> Any:
    if isinstance(value, MfaVerifyResult) and value.outcome is MfaOutcome.EXPIRED:
        return replace(value, outcome=MfaOutcome.MISSING)
    return value
