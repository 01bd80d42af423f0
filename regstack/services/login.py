"""Signing in with address and password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.auth.emails import email_key
from regstack.errors import (
    AccountDisabled,
    AuthenticationError,
    EmailNotVerified,
    InvalidCredentials,
    SecondFactorUnavailable,
)
from regstack.services.lockout import LOGIN

if TYPE_CHECKING:
    from regstack.auth.passwords import PasswordHasher
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.models.user import LoginSubject, User
    from regstack.services.admission import Admission
    from regstack.services.audit import Audit
    from regstack.services.limits import Limits
    from regstack.services.lockout import Lockout
    from regstack.services.second_factor import MfaChallenge, SecondFactor
    from regstack.services.sessions import AccessToken

_REASONS: dict[type[AuthenticationError], str] = {
    InvalidCredentials: "credentials",
    AccountDisabled: "disabled",
    EmailNotVerified: "unverified",
    SecondFactorUnavailable: "second_factor",
}


class Login:
    """The first factor.

    Every path, known address or not, makes the same claim, the same read and exactly one
    password verification; what differs is told only after the right password.

    An account that asks for a second factor is not let in without one, also where
    `enable_sms_2fa` is off and `second_factor` therefore None: a switch must not take away, in
    silence and for everybody, what people protected themselves with.
    """

    def __init__(
        self,
        users: UserRepoProtocol,
        hasher: PasswordHasher,
        lockout: Lockout,
        limits: Limits,
        second_factor: SecondFactor | None,
        admission: Admission,
        audit: Audit,
        config: RegStackConfig,
    ) -> None:
        self._users = users
        self._hasher = hasher
        self._lockout = lockout
        self._limits = limits
        self._second_factor = second_factor
        self._admission = admission
        self._audit = audit
        self._require_verification = config.require_verification
        self._quiet = config.quiet_registration

    async def log_in(self, email: str, password: str) -> AccessToken | MfaChallenge:
        """Check address and password; hand out an access token, or ask for the second factor.

        Raises:
            InvalidCredentials: wrong address or wrong password.
            TooManyAttempts: too many wrong passwords for this address, or `login_rate_limit` is
                reached; after the right password, too many texts.
            AccountDisabled: right password, but the account is disabled.
            EmailNotVerified: right password, but the address is not confirmed yet.
            SecondFactorUnavailable: right password, but no code can be sent.
            Overloaded: too many passwords are being checked already.
        """
        key = email_key(email)
        # The place first: being turned away must not count as a guess.
        with self._hasher.turn() as turn, self._audit.hang_ups("login", account=key):
            await self._limits.claim("login", key)
            await self._lockout.claim(LOGIN, key)
            subject = await self._users.find_login_subject(key)
            found = subject.user or subject.pending
            check = await self._hasher.verify(password, found.hashed_password if found else None, turn)
        # A backend that finds another row must not sign anyone in by that row's password.
        matches = check.matches and found is not None and found.email_key == key
        try:
            user = self._check(subject, matches=matches)
        except AuthenticationError as error:
            reason = _REASONS[type(error)]
            self._audit.record("login", "failure", user=subject.user, account=key, reason=reason)
            raise
        if check.new_hash is not None and user.hashed_password is not None:
            await self._users.rehash_password(user.id, old_hash=user.hashed_password, new_hash=check.new_hash)
        if self._second_factor is not None and user.is_mfa_enabled:
            return await self._second_factor.begin(user)
        return await self._admission.admit(user, LOGIN)

    def _check(self, subject: LoginSubject, *, matches: bool) -> User:
        user = subject.user
        if not matches or (user is None and self._quiet):
            raise InvalidCredentials
        if user is not None and not user.is_active:
            raise AccountDisabled
        if user is None or (self._require_verification and not user.is_verified):
            raise EmailNotVerified
        if user.is_mfa_enabled and self._second_factor is None:
            raise SecondFactorUnavailable
        return user
