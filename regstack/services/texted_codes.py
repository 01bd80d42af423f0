"""One-time codes by text message, and the tokens that they belong to."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.auth.tokens import MFA as MFA_TOKEN
from regstack.auth.tokens import PHONE as PHONE_TOKEN
from regstack.errors import ChallengeOver, InvalidToken, WrongCode
from regstack.models.mfa_code import MfaCode, MfaKind, MfaOutcome
from regstack.services.lockout import MFA, SMS

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.auth.keys import KeyRing
    from regstack.auth.tokens import Claims, JwtCodec
    from regstack.backends.protocols import MfaCodeRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.models.user import User
    from regstack.services.lockout import Lockout
    from regstack.services.texts import Texts

_PURPOSES = {MfaKind.LOGIN: MFA_TOKEN, MfaKind.PHONE_SETUP: PHONE_TOKEN}


@dataclass(frozen=True, slots=True)
class SentCode:
    """What the asker gets while the code goes to the phone.

    Attributes:
        token: to be given back with the code; good for nothing else.
        expires_in: seconds that the token is good for.
    """

    token: str = field(repr=False)
    expires_in: int


class TextedCodes:
    """Sends codes and checks them (NIST SP 800-63B-4, section 3.1.3; OWASP ASVS 5.0, V6.6).

    A code is good for one kind of use, and only together with the token that was made with it:
    storage holds an HMAC over both. What is scarce is counted in storage before it is spent, for
    the user and not for the code: texts, and guesses. A new code therefore brings no new guesses.
    """

    def __init__(
        self,
        codes: MfaCodeRepoProtocol,
        keys: KeyRing,
        jwt: JwtCodec,
        lockout: Lockout,
        texts: Texts,
        clock: Clock,
        config: RegStackConfig,
    ) -> None:
        self._codes = codes
        self._keys = keys
        self._jwt = jwt
        self._lockout = lockout
        self._texts = texts
        self._clock = clock
        self._digits = config.sms_code_length
        self._max_attempts = config.sms_code_max_attempts
        self._code_ttl = timedelta(seconds=config.sms_code_ttl_seconds)
        self._token_ttl = timedelta(seconds=config.mfa_pending_token_ttl_seconds)

    async def send(self, user: User, kind: MfaKind, number: str) -> SentCode:
        """Text a new code, after the answer; an earlier one of the same kind is dead.

        Raises:
            TooManyAttempts: too many texts were sent for this account, or to a number that is being
                set up.
            InvalidToken: the account is gone.
        """
        await self._lockout.claim(SMS, user.email_key, signed_in=kind is MfaKind.PHONE_SETUP)
        if kind is MfaKind.PHONE_SETUP:
            # Any account may name any number: many of them must not ring one phone. Not at a sign-in,
            # where it would keep the phone's owner out.
            await self._lockout.claim(SMS, number, signed_in=True)
        token = self._jwt.sign(_PURPOSES[kind], sub=user.id, ver=user.token_version, ttl=self._token_ttl)
        code = f"{secrets.randbelow(10**self._digits):0{self._digits}}"
        now = self._clock.now()
        stored = await self._codes.put(
            MfaCode(
                user_id=user.id,
                kind=kind,
                code_hash=self._hash(kind, token.claims, code),
                target=number,
                max_attempts=self._max_attempts,
                created_at=now,
                expires_at=now + self._code_ttl,
            )
        )
        if not stored:
            raise InvalidToken
        send = self._texts.login_code if kind is MfaKind.LOGIN else self._texts.phone_code
        send(number, code, self._code_ttl)
        return SentCode(token.text, int(self._token_ttl.total_seconds()))

    def read(self, kind: MfaKind, token: str) -> Claims:
        """Say whose token it is.

        Raises:
            ChallengeOver: it is no such token, or expired.
        """
        try:
            return self._jwt.check(_PURPOSES[kind], token)
        except InvalidToken:
            raise ChallengeOver from None

    async def redeem(self, user: User, kind: MfaKind, claims: Claims, code: str) -> str:
        """Pay for a guess, then use the code up if it is right; gives the number that it went to.

        Raises:
            WrongCode: it is another; there are guesses left.
            ChallengeOver: no guess is left, or the code is used, replaced or expired.
            TooManyAttempts: too many guesses were made for this account, at whatever codes.
        """
        await self._lockout.claim(MFA, user.email_key, signed_in=kind is MfaKind.PHONE_SETUP)
        given = self._hash(kind, claims, code)
        result = await self._codes.verify(user.id, kind, given, self._clock.now())
        if result.outcome is MfaOutcome.WRONG and result.attempts_remaining > 0:
            raise WrongCode
        if result.outcome is not MfaOutcome.OK or result.target is None:
            raise ChallengeOver
        return result.target

    async def drop(self, user: User, *kinds: MfaKind) -> None:
        """Make the outstanding codes useless."""
        await asyncio.gather(*(self._codes.delete(user.id, kind) for kind in kinds))

    def _hash(self, kind: MfaKind, claims: Claims, code: str) -> str:
        # Under the key that signed the token, so that a change of `jwt_secret` cuts nobody off.
        return self._keys.fingerprint("code", f"{kind}:{claims.jti}:{code}", claims.kid)
