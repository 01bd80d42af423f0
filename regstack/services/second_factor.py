"""Signing in with a second factor: a code by text message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from regstack.errors import AuthenticationError, ChallengeOver, SecondFactorUnavailable, WrongCode
from regstack.models.mfa_code import MfaKind
from regstack.services.lockout import LOGIN, MFA

if TYPE_CHECKING:
    from regstack.auth.tokens import Claims
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.models.user import User
    from regstack.services.admission import Admission
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.sessions import AccessToken
    from regstack.services.texted_codes import TextedCodes


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a code travels.

    Attributes:
        channel: by what.
        hint: the end of the phone number, enough for its owner to know which phone to look at.
    """

    channel: Literal["sms"]
    hint: str

    @classmethod
    def to_phone(cls, number: str) -> Delivery:
        """Describe a text, showing no more of the number than its last two digits."""
        return cls("sms", f"…{number[-2:]}")


@dataclass(frozen=True, slots=True)
class MfaChallenge:
    """A half-finished sign-in: the password was right, the code is on its way.

    Attributes:
        token: to be given back with the code; it is no session.
        expires_in: seconds that the token is good for.
        delivery: how the code travels.
    """

    token: str = field(repr=False)
    expires_in: int
    delivery: Delivery


class SecondFactor:
    """The step between the right password and the session.

    A half-finished sign-in carries the `token_version` that the password was checked with, so it
    dies with whatever ends sessions. It belongs to the phone that its code went to.
    """

    def __init__(
        self,
        users: UserRepoProtocol,
        codes: TextedCodes,
        admission: Admission,
        limits: Limits,
        audit: Audit,
        events: EventHooks,
        *,
        require_verification: bool,
    ) -> None:
        self._users = users
        self._codes = codes
        self._admission = admission
        self._limits = limits
        self._audit = audit
        self._events = events
        self._require_verification = require_verification

    async def begin(self, user: User) -> MfaChallenge:
        """Text a code to an account whose first factor was right.

        Raises:
            SecondFactorUnavailable: the account has no phone number.
            TooManyAttempts: too many texts were sent for this account.
        """
        if user.phone_number is None:
            raise SecondFactorUnavailable
        sent = await self._codes.send(user, MfaKind.LOGIN, user.phone_number)
        self._audit.record("login_challenge", user=user)
        self._events.fire("mfa_login_started", user=user)
        return MfaChallenge(sent.token, sent.expires_in, Delivery.to_phone(user.phone_number))

    async def delivery(self, token: str) -> Delivery:
        """Say where the code of a half-finished sign-in went.

        Raises:
            ChallengeOver: it cannot be finished.
        """
        _, _, number = await self._find(token)
        return Delivery.to_phone(number)

    async def confirm(self, token: str, code: str) -> AccessToken:
        """Finish a sign-in.

        Raises:
            WrongCode: it is another code; it may be tried again.
            ChallengeOver: this sign-in cannot be finished; a new one has to begin.
            TooManyAttempts: too many guesses were made for this account, or
                `login_mfa_confirm_rate_limit` is reached.
        """
        await self._limits.claim("login_mfa_confirm")
        claims, user, number = await self._find(token)
        try:
            if await self._codes.redeem(user, MfaKind.LOGIN, claims, code) != number:
                raise ChallengeOver
        except (WrongCode, ChallengeOver) as error:
            self._audit.record("login_code", "failure", user=user, reason=reason_of(error))
            raise
        return await self._admission.admit(user, LOGIN, MFA)

    async def _find(self, token: str) -> tuple[Claims, User, str]:
        claims = self._codes.read(MfaKind.LOGIN, token)
        user = await self._users.get_by_id(claims.sub)
        if (
            user is None
            or user.id != claims.sub  # a backend that mixes rows up must not sign anyone in
            or not user.is_active
            or (self._require_verification and not user.is_verified)
            or user.token_version != claims.ver
            or not user.is_mfa_enabled
            or user.phone_number is None
        ):
            raise ChallengeOver
        return claims, user, user.phone_number


def reason_of(error: AuthenticationError) -> str:
    """Say for the audit record why a code was not taken."""
    return "wrong" if isinstance(error, WrongCode) else "over"
