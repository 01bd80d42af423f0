"""Asking for the current password again before a sensitive change (OWASP ASVS 5.0, V7.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.errors import NoPasswordSet, WrongPassword
from regstack.services.lockout import PASSWORD

if TYPE_CHECKING:
    from regstack.auth.passwords import PasswordHasher
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.lockout import Lockout


class Reauthentication:
    """Checks the current password of a signed-in account, within the lockout's limit."""

    def __init__(self, hasher: PasswordHasher, lockout: Lockout, audit: Audit) -> None:
        self._hasher = hasher
        self._lockout = lockout
        self._audit = audit

    async def check(self, user: User, password: str) -> None:
        """Let through who knows the password.

        Raises:
            NoPasswordSet: the account has none.
            WrongPassword: it is another.
            TooManyAttempts: too many wrong ones for this account.
            Overloaded: too many passwords are being checked already.
        """
        if user.hashed_password is None:
            raise NoPasswordSet
        self._hasher.ensure_room()  # being turned away must not count as a guess
        await self._lockout.claim(PASSWORD, user.email_key, signed_in=True)
        check = await self._hasher.verify(password, user.hashed_password)
        if not check.matches:
            self._audit.record("reauthentication", "failure", user=user)
            raise WrongPassword
        await self._lockout.clear(PASSWORD, user.email_key)
