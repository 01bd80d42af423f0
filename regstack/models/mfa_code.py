"""Short one-time codes and the outcome of checking one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class MfaKind(StrEnum):
    """What a code is for."""

    LOGIN = "login"
    PHONE_SETUP = "phone_setup"


class MfaOutcome(StrEnum):
    """What checking a code came to."""

    OK = "ok"
    WRONG = "wrong"
    EXPIRED = "expired"
    LOCKED = "locked"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class MfaCode:
    """The outstanding code of one user and kind.

    Attributes:
        user_id: whose code.
        kind: a member of `MfaKind`.
        code_hash: HMAC (hex) of the code under a key derived from the application's secret.
        target: what the right code proves, a phone number for example.
        max_attempts: how many guesses are compared at the most, at least 1.
        created_at: UTC, milliseconds.
        expires_at: from this instant on the code cannot be used.
        attempts: guesses counted so far.
    """

    user_id: str
    kind: str
    code_hash: str = field(repr=False)
    target: str | None
    max_attempts: int
    created_at: datetime
    expires_at: datetime
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class MfaVerifyResult:
    """What `MfaCodeRepoProtocol.verify` answers.

    Attributes:
        outcome: a member of `MfaOutcome`.
        attempts_remaining: guesses left after this one; 0 unless `WRONG`.
        target: the code's `target` where the outcome is `OK`, else None.
    """

    outcome: MfaOutcome
    attempts_remaining: int = 0
    target: str | None = None
