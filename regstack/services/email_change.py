"""Moving an account to another address."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.auth.emails import parse_email
from regstack.auth.one_time import hash_token, new_token
from regstack.errors import InvalidOneTimeToken, InvalidToken

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.models.email_address import EmailAddress
    from regstack.models.user import User
    from regstack.services.audit import Audit
    from regstack.services.background import BackgroundQueue
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
        notices: Notices,
        background: BackgroundQueue,
        limits: Limits,
        audit: Audit,
        events: EventHooks,
        clock: Clock,
        config: RegStackConfig,
    ) -> None:
        self._users = users
        self._reauthentication = reauthentication
        self._notices = notices
        self._background = background
        self._limits = limits
        self._audit = audit
        self._events = events
        self._clock = clock
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
        await self._reauthentication.check(user, current_password)
        token = new_token()
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

    async def confirm(self, token: str) -> User:
        """Make the change that a mailed token stands for.

        Raises:
            InvalidOneTimeToken: the token is unknown, used, replaced, dropped or expired.
            UserAlreadyExistsError: another account has got the address meanwhile.
            TooManyAttempts: `confirm_email_change_rate_limit` is reached.
        """
        await self._limits.claim("confirm_email_change")
        user = await self._users.confirm_email_change(hash_token(token), self._clock.now())
        if user is None:
            self._audit.record("email_change", "failure")
            raise InvalidOneTimeToken
        self._audit.record("email_change", user=user)
        self._events.fire("email_changed", user=user)
        return user

    async def _send_mails(self, user: User, address: EmailAddress, token: str) -> None:
        owner = await self._users.get_by_email(address.key)
        if owner is None or owner.id == user.id:
            self._notices.email_change(user, address.address, token, self._ttl)
        self._notices.email_change_notice(user, address.address)
        self._events.fire("email_change_requested", user=user)
