"""Moving an account to another address."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.auth.emails import parse_email
from regstack.auth.one_time import hash_token
from regstack.auth.sealed_tokens import SealedTokens
from regstack.errors import InvalidOneTimeToken, InvalidToken

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.auth.keys import KeyRing
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.models.email_address import EmailAddress
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.background import BackgroundQueue
    from regstack.services.confirmation import Confirmation
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.notices import Notices
    from regstack.services.reauthentication import Reauthentication


class EmailChange:
    """A change that counts only once the new address has answered."""

    def __init__(
        self,
        users: UserRepoProtocol,
        reauthentication: Reauthentication,
        confirmation: Confirmation,
        notices: Notices,
        background: BackgroundQueue,
        limits: Limits,
        audit: Audit,
        events: EventHooks,
        clock: Clock,
        keys: KeyRing,
        config: RegStackConfig,
    ) -> None:
        self._users = users
        self._reauthentication = reauthentication
        self._confirmation = confirmation
        self._notices = notices
        self._background = background
        self._limits = limits
        self._audit = audit
        self._events = events
        self._clock = clock
        self._tokens = SealedTokens(keys, "email-change")
        self._ttl = timedelta(seconds=config.email_change_token_ttl_seconds)

    async def request(self, user: User, new_email: str, current_password: str) -> None:
        """Mail a link to the new address and a notice to the present one.

        Whether the new address has an account already is looked up after the answer, and shows
        in nothing that the asker sees.

        Raises:
            InvalidEmail: mail cannot be sent to the new address.
            WrongPassword, NoPasswordSet, TooManyAttempts, Overloaded: see `Reauthentication`.
            TooManyAttempts: `change_email_rate_limit` is reached.
            InvalidToken: the account changed in the meantime.
        """
        await self._limits.claim("change_email", user.email_key)
        address = parse_email(new_email)
        token = self._tokens.new(user.id)
        async with self._reauthentication.of(user, current_password):
            stored = await self._users.put_email_change(
                user.id,
                hash_token(token),
                address,
                self._clock.now() + self._ttl,
                token_version=user.token_version,
            )
        if not stored:
            raise InvalidToken
        self._audit.record("email_change_request", user=user)
        self._background.put(lambda: self._send_mails(user, address, token), label="change-email")

    async def confirm(self, token: str, password: str | None = None) -> User:
        """Make the change that a mailed token stands for.

        Whoever confirms should show that the account is theirs; see `Confirmation`.

        Args:
            token: from the mail.
            password: of the account; may be left out unless `verification_requires_password`.

        Raises:
            WrongPassword: it is another; the token stays good.
            InvalidOneTimeToken: the token is unknown, used, replaced, dropped or expired.
            UserAlreadyExistsError: another account has got the address meanwhile.
            TooManyAttempts: too many wrong passwords, or `confirm_email_change_rate_limit` is reached.
            Overloaded: too many passwords are being checked already.
        """
        await self._limits.claim("confirm_email_change")
        if self._confirmation.is_due(password):
            await self._recognise(token, password)
        # A password that changes in between ends the token, so the one that was checked still counts.
        user = await self._users.confirm_email_change(hash_token(token), self._clock.now())
        if user is None:
            self._audit.record("email_change", "failure")
            raise InvalidOneTimeToken
        self._audit.record("email_change", user=user)
        self._events.fire("email_changed", user=user)
        return user

    async def _recognise(self, token: str, password: str | None) -> None:
        user_id = self._tokens.user_id(token)
        user = await self._users.get_by_id(user_id) if user_id is not None else None
        if user is None:
            self._audit.record("email_change", "failure")
            raise InvalidOneTimeToken
        await self._confirmation.check(
            token,
            password,
            user,
            act="email_change",
            sentence="this is not the password of the account that asked for the change",
        )

    async def _send_mails(self, user: User, address: EmailAddress, token: str) -> None:
        owner = await self._users.get_by_email(address.key)
        if owner is None or owner.id == user.id:
            self._notices.email_change(user, address.address, token, self._ttl)
        self._notices.email_change_notice(user, address.address)
        self._events.fire("email_change_requested", user=user)
