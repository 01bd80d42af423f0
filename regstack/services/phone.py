"""Setting the second factor up, and taking it away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.auth.phone_numbers import parse_phone
from regstack.errors import ChallengeOver, EmailNotVerified, InvalidToken, WrongCode
from regstack.models.mfa_code import MfaKind
from regstack.services.second_factor import Delivery, reason_of

if TYPE_CHECKING:
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.lockout import Lockout
    from regstack.services.notices import Notices
    from regstack.services.reauthentication import Reauthentication
    from regstack.services.texted_codes import SentCode, TextedCodes


class Phone:
    """The phone of an account: a number that has answered is its second factor at once."""

    def __init__(
        self,
        users: UserRepoProtocol,
        reauthentication: Reauthentication,
        codes: TextedCodes,
        lockout: Lockout,
        notices: Notices,
        limits: Limits,
        audit: Audit,
        events: EventHooks,
    ) -> None:
        self._users = users
        self._reauthentication = reauthentication
        self._codes = codes
        self._lockout = lockout
        self._notices = notices
        self._limits = limits
        self._audit = audit
        self._events = events

    async def start(self, user: User, phone_number: str, current_password: str) -> SentCode:
        """Text a code to a new number; nothing changes until it comes back.

        An account with an unconfirmed address sets none up: whoever made it may not be the owner
        of the address, who would be asked for a code of somebody else's phone after a reset.

        Raises:
            EmailNotVerified: the account's address is not confirmed.
            InvalidPhoneNumber: a text cannot be sent there.
            WrongPassword, NoPasswordSet, TooManyAttempts, Overloaded: see `Reauthentication`;
                too many texts, or `phone_start_rate_limit`, are `TooManyAttempts` as well.
            InvalidToken: the account is gone.
        """
        await self._limits.claim("phone_start", user.email_key)
        number = parse_phone(phone_number)
        if not user.is_verified:
            raise EmailNotVerified
        async with self._reauthentication.of(user, current_password):
            sent = await self._codes.send(user, MfaKind.PHONE_SETUP, number)
        self._audit.record("phone_start", user=user)
        self._events.fire("phone_setup_started", user=user)
        return sent

    async def confirm(self, user: User, token: str, code: str) -> User:
        """Make the number that the code was texted to the account's second factor.

        Raises:
            WrongCode: it is another code; it may be tried again.
            ChallengeOver: this set-up cannot be finished; a new one has to begin.
            TooManyAttempts: too many guesses were made for this account, or
                `phone_confirm_rate_limit` is reached.
            InvalidToken: the account changed in the meantime, by a reset for example.
        """
        await self._limits.claim("phone_confirm", user.email_key)
        try:
            number = await self._redeem(user, token, code)
        except (WrongCode, ChallengeOver) as error:
            self._audit.record("mfa_enable", "failure", user=user, reason=reason_of(error))
            raise
        changed = await self._users.set_second_factor(user.id, number, token_version=user.token_version)
        if changed is None:
            raise InvalidToken
        await self._codes.drop(user, MfaKind.LOGIN)  # it went to the number before
        self._lockout.remember_place(changed)
        self._audit.record("mfa_enable", user=changed)
        self._notices.mfa_enabled(changed, Delivery.to_phone(number).hint)
        self._events.fire("mfa_enabled", user=changed)
        return changed

    async def remove(self, user: User, current_password: str) -> None:
        """Forget the number, and ask for the password alone from now on.

        Raises:
            WrongPassword, NoPasswordSet, TooManyAttempts, Overloaded: see `Reauthentication`;
                `phone_disable_rate_limit` is `TooManyAttempts` as well.
            InvalidToken: the account changed in the meantime, by a reset for example.
        """
        await self._limits.claim("phone_disable", user.email_key)
        async with self._reauthentication.of(user, current_password):
            changed = await self._users.set_second_factor(user.id, None, token_version=user.token_version)
        if changed is None:
            raise InvalidToken
        await self._codes.drop(user, MfaKind.LOGIN, MfaKind.PHONE_SETUP)
        self._lockout.remember_place(changed)
        if user.is_mfa_enabled:
            self._audit.record("mfa_disable", user=changed)
            self._notices.mfa_disabled(changed)
            self._events.fire("mfa_disabled", user=changed)

    async def _redeem(self, user: User, token: str, code: str) -> str:
        claims = self._codes.read(MfaKind.PHONE_SETUP, token)
        if claims.sub != user.id or claims.ver != user.token_version:
            raise ChallengeOver
        return await self._codes.redeem(user, MfaKind.PHONE_SETUP, claims, code)
