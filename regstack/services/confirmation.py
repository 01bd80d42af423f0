"""Knowing whoever opened a mailed link by a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.auth.one_time import hash_token
from regstack.errors import WrongPassword
from regstack.models.user import User
from regstack.services.lockout import CONFIRMATION

if TYPE_CHECKING:
    from regstack.auth.passwords import PasswordHasher
    from regstack.config.schema import RegStackConfig
    from regstack.models.pending import PendingRegistration
    from regstack.services.audit import Audit
    from regstack.services.lockout import Lockout


class Confirmation:
    """Checks that whoever confirms an address is whoever gave it.

    Anybody can give an address of somebody else's, when registering or for an account that they
    have, and wait for its owner to open the link. The owner does not know the password that
    somebody else chose.
    """

    def __init__(
        self, hasher: PasswordHasher, lockout: Lockout, audit: Audit, config: RegStackConfig
    ) -> None:
        self._hasher = hasher
        self._lockout = lockout
        self._audit = audit
        self._required = config.verification_requires_password

    def is_due(self, password: str | None) -> bool:
        """Say whether the password is to be checked: one was sent, or has to be."""
        return password is not None or self._required

    async def check(
        self, token: str, password: str | None, giver: PendingRegistration | User, *, act: str, sentence: str
    ) -> None:
        """Let through who knows the giver's password; where there is none, everybody.

        Guesses count for the link, which only the mail has: counted for the address, wrong
        passwords at sign-in would let anybody keep the owner from confirming.

        Args:
            token: from the mail; one that was made for the giver.
            password: what was sent.
            giver: of the address.
            act: what the record calls it.
            sentence: what to say of a wrong one.

        Raises:
            WrongPassword: it is another; the token stays good.
            TooManyAttempts: too many wrong ones for this link.
            Overloaded: too many passwords are being checked already.
        """
        if giver.hashed_password is None:
            return
        user = giver if isinstance(giver, User) else None
        # The place first: being turned away must not count as a guess.
        with (
            self._hasher.turn() as turn,
            self._audit.hang_ups(act, user=user, account=giver.email_key),
        ):
            await self._lockout.claim(CONFIRMATION, hash_token(token), signed_in=True)
            check = await self._hasher.verify(password or "", giver.hashed_password, turn)
        if not check.matches:
            self._audit.record(act, "failure", user=user, account=giver.email_key, reason="password")
            raise WrongPassword(sentence)
