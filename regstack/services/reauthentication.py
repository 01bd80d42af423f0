"""Asking for the current password again before a sensitive change (OWASP ASVS 5.0, V7.5.1)."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from regstack.errors import BackendError, NoPasswordSet, WrongPassword
from regstack.models.line import one_line
from regstack.services.lockout import PASSWORD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from regstack.auth.passwords import PasswordHasher
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.lockout import Lockout

logger = logging.getLogger(__name__)


class Reauthentication:
    """Checks the current password of a signed-in account, within the lockout's limit."""

    def __init__(self, hasher: PasswordHasher, lockout: Lockout, audit: Audit) -> None:
        self._hasher = hasher
        self._lockout = lockout
        self._audit = audit

    @asynccontextmanager
    async def of(self, user: User, password: str) -> AsyncIterator[None]:
        """Let through who knows the password.

        What is done inside goes to storage together with the forgetting of the wrong guesses, so
        neither waits for the other. A count that stays only costs the owner guesses, so it does not
        decide what is told of the change.

        Raises:
            NoPasswordSet: the account has none.
            WrongPassword: it is another.
            TooManyAttempts: too many wrong ones for this account.
            Overloaded: too many passwords are being checked already.
        """
        if user.hashed_password is None:
            raise NoPasswordSet
        # The place first: being turned away must not count as a guess.
        with (
            self._hasher.turn(signed_in=True) as turn,
            self._audit.hang_ups("reauthentication", user=user),
        ):
            await self._lockout.claim(PASSWORD, user.email_key, signed_in=True)
            check = await self._hasher.verify(password, user.hashed_password, turn)
        if not check.matches:
            self._audit.record("reauthentication", "failure", user=user)
            raise WrongPassword
        forgetting = asyncio.create_task(self._forget(user))
        try:
            yield
        finally:
            await forgetting

    async def _forget(self, user: User) -> None:
        try:
            await self._lockout.clear(PASSWORD, user.email_key)
        except BackendError as error:
            logger.warning("wrong passwords stay counted: %s: %s", type(error).__name__, one_line(error))
