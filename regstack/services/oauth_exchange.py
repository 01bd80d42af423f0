"""Signing in with an external provider: the last step, from an exchange id to an access token."""

from __future__ import annotations

import asyncio
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regstack.auth.one_time import hash_token, new_token
from regstack.errors import UnknownExchange
from regstack.services.second_factor import MfaChallenge

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.backends.protocols import (
        OAuthIdentityRepoProtocol,
        OAuthStateRepoProtocol,
        UserRepoProtocol,
    )
    from regstack.models.oauth_identity import OAuthIdentity
    from regstack.models.oauth_state import OAuthState
    from regstack.models.user import User
    from regstack.services.admission import Admission
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.oauth_accounts import OAuthAccounts
    from regstack.services.second_factor import SecondFactor
    from regstack.services.sessions import AccessToken

_EXCHANGE_ID = re.compile(r"([0-9a-f-]{36})\.[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class SignIn:
    """What an exchange id was exchanged for: a token, or the question for the second factor.

    Attributes:
        outcome: one or the other.
        redirect_to: the path of this site that the person wanted to go to.
        was_new_account: the sign-in made the account.
    """

    outcome: AccessToken | MfaChallenge
    redirect_to: str | None
    was_new_account: bool


class OAuthExchange:
    """Exchange ids, each good once, for a short time, in the browser that began.

    Args:
        second_factor: is asked for where it is given and the account has it switched on.
    """

    def __init__(
        self,
        users: UserRepoProtocol,
        states: OAuthStateRepoProtocol,
        identities: OAuthIdentityRepoProtocol,
        accounts: OAuthAccounts,
        admission: Admission,
        limits: Limits,
        events: EventHooks,
        clock: Clock,
        second_factor: SecondFactor | None = None,
    ) -> None:
        self._users = users
        self._states = states
        self._identities = identities
        self._accounts = accounts
        self._admission = admission
        self._limits = limits
        self._events = events
        self._clock = clock
        self._second_factor = second_factor

    async def redeem(self, exchange_id: str, *, browser: str | None) -> SignIn:
        """Use up an exchange id.

        The token is minted now, for the account as it was when the provider answered: whatever
        ended sessions since, or unlinked the identity, ended this sign-in too. An id that
        another browser brings is used up as well, since it has leaked. The row names the account, so
        its two reads go out together, and so do the writes at the end.

        Args:
            exchange_id: as it came back from the provider.
            browser: what the browser's cookie held.

        Raises:
            UnknownExchange: it is unknown, used or expired, belongs to another browser, or the
                account changed since.
            AccountDisabled, EmailNotVerified: see `OAuthAccounts.admissible`.
            TooManyAttempts: `oauth_exchange_rate_limit` is reached; with a second factor, too many
                texts.
        """
        await self._limits.claim("oauth_exchange")
        row = await self._states.consume(hash_token(exchange_id), self._clock.now())
        parts = _EXCHANGE_ID.fullmatch(exchange_id)
        if row is None or parts is None or row.result_user_id is None or not began(row, browser):
            raise UnknownExchange
        user, linked = await asyncio.gather(
            self._users.get_by_id(row.result_user_id), self._identities.list_for_user(row.result_user_id)
        )
        if user is None or user.token_version != row.result_token_version:
            raise UnknownExchange
        self._accounts.admissible(user)
        if parts[1] not in {identity.id for identity in linked}:
            raise UnknownExchange
        outcome, _ = await asyncio.gather(
            self._admit(user, row.provider),
            self._identities.touch_last_used(parts[1], self._clock.now()),
        )
        self._events.fire(
            "oauth_signin_completed",
            user=user,
            provider=row.provider,
            was_new_account=row.was_new_account,
            mfa_required=isinstance(outcome, MfaChallenge),
        )
        return SignIn(outcome, row.redirect_to, row.was_new_account)

    async def _admit(self, user: User, provider: str) -> AccessToken | MfaChallenge:
        if self._second_factor is not None and user.is_mfa_enabled:
            return await self._second_factor.begin(user)
        return await self._admission.admit(user, provider=provider)


def new_exchange_id(identity: OAuthIdentity) -> str:
    """Make an exchange id: the identity that it stands for, and 256 random bits.

    Storage knows the hash of the whole, so that neither part fits another one.
    """
    return f"{identity.id}.{new_token()}"


def began(row: OAuthState, browser: str | None) -> bool:
    """Whether this is the browser that began the run."""
    return browser is not None and hmac.compare_digest(hash_token(browser), row.browser_hash)
