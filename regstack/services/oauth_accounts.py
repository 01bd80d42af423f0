"""Which account an external identity opens, and which identities open an account."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.auth.emails import parse_email
from regstack.errors import (
    AccountDisabled,
    EmailNotVerified,
    InvalidEmail,
    InvalidText,
    InvalidToken,
    LastSignInMethod,
    NotLinked,
    OAuthIdentityAlreadyLinkedError,
    OAuthRejected,
    RegistrationClosed,
    TooManyAttempts,
    UserAlreadyExistsError,
    UserNotFoundError,
)
from regstack.models.ids import new_id
from regstack.models.line import one_line
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.text import check_text
from regstack.models.user import User
from regstack.services.throttle import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regstack.auth.clock import Clock
    from regstack.backends.protocols import (
        OAuthIdentityRepoProtocol,
        PendingRepoProtocol,
        UserRepoProtocol,
    )
    from regstack.config.schema import RegStackConfig
    from regstack.models.email_address import EmailAddress
    from regstack.oauth.account import ExternalAccount
    from regstack.oauth.provider import OAuthProvider
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.notices import Notices
    from regstack.services.throttle import Throttle

ATTEMPTS = 8
"""How often a sign-in looks, if another one or a change of the account comes in between."""

PAUSE_SECONDS = 0.05
"""How much longer it waits each time before it looks again."""

ONE_AT_A_TIME = Rule(1, timedelta(minutes=1))
"""Turns at one account; after the minute another may go on, whatever became of the one before."""

UNLINK = "oauth-unlink"
"""Purpose of a turn at unlinking."""

_LONGEST_NAME = 200
_LONGEST_ID = 255
"""Characters of a subject (OpenID Connect Core 1.0, section 2), and of an issuer."""


class _CameBetweenError(Exception):
    """Something else changed what was looked at; look again."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """An account, and the identity by which it is entered.

    Attributes:
        user: the account.
        identity: the identity.
        is_new: the account was made for it just now.
    """

    user: User
    identity: OAuthIdentity
    is_new: bool = False


class OAuthAccounts:
    """The linking policy.

    An identity is issuer and subject, never an address. A known one opens its account. A new one
    makes an account, from an address that the provider vouches for; where the address has an
    account already, that one is not opened, unless `auto_link_verified_emails` says so. What
    nobody vouches for is not even looked up, so that a provider at which anybody can write any
    address does not tell whose addresses have accounts.
    """

    def __init__(
        self,
        users: UserRepoProtocol,
        pending: PendingRepoProtocol,
        identities: OAuthIdentityRepoProtocol,
        providers: Mapping[str, OAuthProvider],
        throttle: Throttle,
        notices: Notices,
        audit: Audit,
        events: EventHooks,
        clock: Clock,
        config: RegStackConfig,
    ) -> None:
        self._users = users
        self._pending = pending
        self._identities = identities
        self._providers = providers
        self._throttle = throttle
        self._notices = notices
        self._audit = audit
        self._events = events
        self._clock = clock
        self._open = config.allow_registration
        self._auto_link = config.oauth.auto_link_verified_emails
        self._require_verification = config.require_verification

    async def enter(self, provider: str, external: ExternalAccount) -> Entrance:
        """Find, link or make the account that an external identity opens.

        Raises:
            AccountDisabled: it is disabled.
            EmailNotVerified: the provider does not vouch for an address, or the account's own is
                not confirmed where it must be.
            UserAlreadyExistsError: the address has an account that the identity does not open.
            RegistrationClosed: it would be a new account, and `allow_registration` is off.
            OAuthIdentityAlreadyLinkedError: the account that would be linked has another identity of
                this provider.
            OAuthRejected: issuer or subject cannot be, or others were faster again and again.
        """
        _check_identity(external)
        for attempt in range(1, ATTEMPTS + 1):
            if attempt > 1:
                await asyncio.sleep(PAUSE_SECONDS * (attempt - 1))
            with suppress(_CameBetweenError):
                known = await self._identities.find_by_subject(external.issuer, external.subject)
                if known is None:
                    return await self._enter_first(provider, external)
                user = await self._users.get_by_id(known.user_id)
                if user is not None:
                    return Entrance(self.admissible(user), known)
        raise OAuthRejected("the account kept changing during the sign-in")

    def admissible(self, user: User) -> User:
        """Give the account back if it may be entered at all.

        Raises:
            AccountDisabled: it is disabled.
            EmailNotVerified: its address is not confirmed, and has to be.
        """
        if not user.is_active:
            raise AccountDisabled
        if self._require_verification and not user.is_verified:
            raise EmailNotVerified
        return user

    async def linked(self, user: User) -> list[OAuthIdentity]:
        """List the account's identities, oldest link first."""
        return await self._identities.list_for_user(user.id)

    async def link(self, user_id: str, token_version: int, provider: str, external: ExternalAccount) -> None:
        """Link an identity to the account that asked for it when it had this `token_version`.

        An account with an unconfirmed address links nothing: nobody knows whose it is, and
        whoever gets it back by mail would not know of the other way in.

        Raises:
            InvalidToken: the session that asked has ended since.
            EmailNotVerified: the account's own address is not confirmed.
            OAuthIdentityAlreadyLinkedError: the identity belongs to another account, or the
                account has one of this provider.
            OAuthRejected: issuer or subject cannot be.
        """
        _check_identity(external)
        user = await self._users.get_by_id(user_id)
        if user is None or user.token_version != token_version or not user.is_active:
            raise InvalidToken
        if not user.is_verified:
            raise EmailNotVerified
        known = await self._identities.find_by_subject(external.issuer, external.subject)
        if known is not None and known.user_id == user.id:
            return
        try:
            await self._link(user, provider, external)
        except _CameBetweenError:
            raise InvalidToken from None

    async def unlink(self, user: User, provider: str) -> None:
        """Unlink one provider.

        Two unlinks of one account go one after the other, so that they never take each other's
        last way in away.

        Raises:
            NotLinked: it is not linked.
            LastSignInMethod: the account has no password, and no other provider that is in use.
            TooManyAttempts: another unlink of this account is under way.
            InvalidToken: the account changed in the meantime, or is gone.
        """
        turn = await self._throttle.claim(f"{UNLINK}:{user.id}", ONE_AT_A_TIME)
        if not turn.allowed:
            raise TooManyAttempts(turn.retry_after)
        try:
            await self._unlink(user, provider)
        finally:
            await self._throttle.lift(UNLINK, user.id)
        self._notices.provider_unlinked(user, self._label(provider))
        self._audit.record("oauth_unlink", user=user, provider=provider)
        self._events.fire("oauth_account_unlinked", user=user, provider=provider)

    async def _unlink(self, user: User, provider: str) -> None:
        # The session has said which account it is, so neither read needs the other.
        current, identities = await asyncio.gather(
            self._users.get_by_id(user.id), self._identities.list_for_user(user.id)
        )
        if current is None:
            raise InvalidToken
        linked = {identity.provider for identity in identities}
        if provider not in linked:
            raise NotLinked
        if current.hashed_password is None and not (linked - {provider}) & self._providers.keys():
            raise LastSignInMethod
        if not await self._identities.delete(user.id, provider, token_version=user.token_version):
            raise InvalidToken

    async def _enter_first(self, provider: str, external: ExternalAccount) -> Entrance:
        """Open an account with an identity that opened none so far."""
        address = _vouched_address(external)
        owner = await self._users.get_by_email(address.key)
        if owner is None:
            return await self._register(provider, external, address)
        if not _is_same_mailbox(address.address, owner.email):
            raise UserAlreadyExistsError
        if not self._auto_link:
            await self._look_again(external)
            raise UserAlreadyExistsError
        if not owner.is_active:
            raise AccountDisabled
        if not owner.is_verified:
            owner = await self._hand_over(owner)
        try:
            return Entrance(owner, await self._link(owner, provider, external))
        except OAuthIdentityAlreadyLinkedError:
            await self._look_again(external)
            raise  # the account has another identity of this provider

    async def _register(self, provider: str, external: ExternalAccount, address: EmailAddress) -> Entrance:
        if not self._open:
            raise RegistrationClosed
        new = User.new(
            id=new_id(self._clock),
            email=address.address,
            email_key=address.key,
            hashed_password=None,
            full_name=one_line(external.full_name, _LONGEST_NAME) if external.full_name else None,
            now=self._clock.now(),
            is_verified=True,
        )
        identity = self._new_identity(new, provider, external)
        try:
            user = await self._identities.create_with_user(new, identity)
        except (UserAlreadyExistsError, OAuthIdentityAlreadyLinkedError):
            raise _CameBetweenError from None
        await self._pending.delete_by_email(address.key)
        self._audit.record("registration", user=user, provider=provider)
        self._events.fire("user_registered", user=user)
        self._events.fire("user_verified", user=user)
        return Entrance(user, identity, is_new=True)

    async def _look_again(self, external: ExternalAccount) -> None:
        """See whether another sign-in of the same identity came between the looks of this one."""
        if await self._identities.find_by_subject(external.issuer, external.subject) is not None:
            raise _CameBetweenError

    async def _hand_over(self, squatted: User) -> User:
        """Hand an account with an unconfirmed address to the owner of that address.

        Whoever made it may have been anybody (account pre-hijacking).
        """
        owned = await self._users.hand_over(squatted.id, token_version=squatted.token_version)
        if owned is None:
            raise _CameBetweenError
        await self._pending.delete_by_email(owned.email_key)
        self._audit.record("oauth_claim", user=owned)
        self._events.fire("user_verified", user=owned)
        return owned

    async def _link(self, user: User, provider: str, external: ExternalAccount) -> OAuthIdentity:
        """Link, unless the account's sessions ended since `user` was read."""
        identity = self._new_identity(user, provider, external)
        try:
            await self._identities.create(identity, token_version=user.token_version)
        except UserNotFoundError:
            raise _CameBetweenError from None
        self._notices.provider_linked(user, self._label(provider))
        self._audit.record("oauth_link", user=user, provider=provider)
        self._events.fire("oauth_account_linked", user=user, provider=provider)
        return identity

    def _new_identity(self, user: User, provider: str, external: ExternalAccount) -> OAuthIdentity:
        return OAuthIdentity(
            id=new_id(self._clock),
            user_id=user.id,
            provider=provider,
            issuer=external.issuer,
            subject=external.subject,
            email=one_line(external.email) if external.email else None,
            linked_at=self._clock.now(),
        )

    def _label(self, provider: str) -> str:
        known = self._providers.get(provider)
        return known.label if known is not None else provider


def _check_identity(external: ExternalAccount) -> None:
    for part in (external.issuer, external.subject):
        try:
            if not 0 < len(check_text(part)) <= _LONGEST_ID:
                raise OAuthRejected("issuer or subject is empty or too long")
        except InvalidText:
            raise OAuthRejected("issuer or subject is no text") from None


def _vouched_address(external: ExternalAccount) -> EmailAddress:
    """Give the address that the provider says is the person's own."""
    if not external.email or external.email_verified is not True:
        raise EmailNotVerified
    try:
        address = parse_email(external.email)
    except InvalidEmail:
        raise EmailNotVerified from None
    # What is vouched for is the mailbox as the provider spells it, and no other one that an account
    # here is known by (CVE-2019-19844): letters may differ in case and in nothing else.
    if not _is_same_mailbox(external.email, address.address):
        raise EmailNotVerified
    return address


def _is_same_mailbox(vouched: str, stored: str) -> bool:
    return vouched.strip().lower() == stored.lower()
