"""Signing in with an external provider: to the provider, and back."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.auth.one_time import hash_token, new_token
from regstack.auth.redirects import local_path
from regstack.errors import (
    AccountDisabled,
    EmailNotVerified,
    InvalidToken,
    OAuthDenied,
    OAuthError,
    OAuthIdentityAlreadyLinkedError,
    OAuthUnavailable,
    RegistrationClosed,
    RegStackError,
    SecondFactorUnavailable,
    SignInTooOld,
    UnknownExchange,
    UnknownProvider,
    UserAlreadyExistsError,
)
from regstack.models.line import one_line
from regstack.models.oauth_state import OAuthState
from regstack.services.oauth_exchange import began, new_exchange_id
from regstack.services.throttle import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regstack.auth.clock import Clock
    from regstack.auth.keys import KeyRing
    from regstack.backends.protocols import (
        BlacklistRepoProtocol,
        OAuthStateRepoProtocol,
    )
    from regstack.config.schema import RegStackConfig
    from regstack.oauth.provider import OAuthProvider
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.oauth_accounts import OAuthAccounts
    from regstack.services.reauthentication import Reauthentication
    from regstack.services.sessions import Session
    from regstack.services.throttle import Throttle

logger = logging.getLogger(__name__)

EXPIRED = "expired"
"""The word for a flow that is unknown, used or too old, or that another browser began."""

ERROR_WORDS: dict[type[RegStackError], str] = {
    OAuthDenied: "access_denied",
    OAuthUnavailable: "provider_unavailable",
    OAuthError: "sign_in_failed",
    UserAlreadyExistsError: "email_in_use",
    EmailNotVerified: "email_unverified",
    RegistrationClosed: "registration_closed",
    AccountDisabled: "account_disabled",
    SecondFactorUnavailable: "second_factor_unavailable",
    OAuthIdentityAlreadyLinkedError: "already_linked",
    InvalidToken: EXPIRED,
    UnknownExchange: EXPIRED,
}
"""What a frontend is told of a flow that failed, all that it is told."""

_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_STATE = 256


@dataclass(frozen=True, slots=True)
class Departure:
    """A browser that is to be sent to a provider.

    Attributes:
        url: where to.
        browser: what it has to keep until it comes back, in a cookie.
        keep_seconds: for how long.
    """

    url: str = field(repr=False)
    browser: str = field(repr=False)
    keep_seconds: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A browser that came back from a provider.

    Attributes:
        exchange_id: what it can exchange for an access token, once; None where it cannot.
        error: why not, a word of `ERROR_WORDS`; None where a link was made.
        linking: the flow was to link an account, not to sign in.
        redirect_to: where the person wanted to go.
    """

    exchange_id: str | None = field(default=None, repr=False)
    error: str | None = None
    linking: bool = False
    redirect_to: str | None = None


class OAuthFlow:
    """Runs of the authorisation-code flow (RFC 6749, section 4.1; RFC 9700).

    A run is bound to the browser that began it by a random value in a cookie: without that cookie
    neither the provider's answer is taken (login CSRF, CVE-2025-68481) nor the exchange id. It is
    bound to its provider, so that no other one's answer fits, and its state is good for one
    answer, whatever that answer is. Storage holds hashes only; PKCE verifier and nonce are
    derived from the state, which the browser brings back.
    """

    def __init__(
        self,
        states: OAuthStateRepoProtocol,
        blacklist: BlacklistRepoProtocol,
        providers: Mapping[str, OAuthProvider],
        accounts: OAuthAccounts,
        reauthentication: Reauthentication,
        throttle: Throttle,
        limits: Limits,
        keys: KeyRing,
        audit: Audit,
        events: EventHooks,
        clock: Clock,
        config: RegStackConfig,
    ) -> None:
        self._states = states
        self._blacklist = blacklist
        self._providers = providers
        self._accounts = accounts
        self._throttle = throttle
        self._limits = limits
        self._reauthentication = reauthentication
        self._keys = keys
        self._audit = audit
        self._events = events
        self._clock = clock
        self._callback_base = f"{config.base_url}{config.api_prefix}/oauth"
        self._state_ttl = timedelta(seconds=config.oauth.state_ttl_seconds)
        self._link_session_max_age = timedelta(seconds=config.oauth.link_session_max_age_seconds)
        self._completion_ttl = timedelta(seconds=config.oauth.completion_ttl_seconds)

    async def start(
        self, provider: str, *, redirect_to: str | None = None, browser: str | None = None
    ) -> Departure:
        """Begin a sign-in.

        Args:
            provider: its name.
            redirect_to: a path of this site to go to in the end; another one is ignored.
            browser: what the browser's cookie held, if it had one. It is kept, so that runs in
                two tabs do not end each other.

        Raises:
            UnknownProvider: there is none of this name.
            TooManyAttempts: `oauth_start_rate_limit` is reached.
            OAuthUnavailable, OAuthRejected: the provider's description of itself cannot be had, or
                is not to be trusted.
        """
        await self._limits.claim("oauth_start")
        departure = await self._depart(provider, redirect_to, browser)
        self._events.fire("oauth_signin_started", provider=provider)
        return departure

    async def start_link(
        self,
        session: Session,
        provider: str,
        *,
        current_password: str | None = None,
        redirect_to: str | None = None,
        browser: str | None = None,
    ) -> Departure:
        """Begin to link a provider with the signed-in account.

        A link outlives the session that asks for it, and every change of password. So whoever
        asks has just signed in, or knows the password: a stolen session is not enough.

        Args:
            session: of the account.
            provider: its name.
            current_password: may be left out within `oauth.link_session_max_age_seconds` of the
                sign-in.
            redirect_to: as for `start`.
            browser: as for `start`.

        Raises:
            SignInTooOld: the sign-in is longer ago, and no password was given.
            WrongPassword, NoPasswordSet, Overloaded: see `Reauthentication`.
            UnknownProvider, TooManyAttempts, OAuthUnavailable, OAuthRejected: as for `start`.
            EmailNotVerified: the account's own address is not confirmed; see `OAuthAccounts.link`.
            InvalidToken: the account is gone.
        """
        await self._limits.claim("oauth_start")
        if not session.user.is_verified:
            raise EmailNotVerified
        if current_password is not None:
            async with self._reauthentication.of(session.user, current_password):
                return await self._depart(provider, redirect_to, browser, session)
        if self._clock.now() - session.claims.issued_at > self._link_session_max_age:
            raise SignInTooOld
        return await self._depart(provider, redirect_to, browser, session)

    async def finish(
        self, provider: str, state: str, params: Mapping[str, str], *, browser: str | None
    ) -> Arrival:
        """Take a provider's answer.

        Args:
            provider: whose callback it came to.
            state: its parameter `state`.
            params: its other parameters.
            browser: what the browser's cookie held.

        Raises:
            UnknownProvider: there is no provider of this name.
            TooManyAttempts: `oauth_callback_rate_limit` is reached.
        """
        known = self._provider(provider)
        await self._limits.claim("oauth_callback")
        row = await self._own_run(provider, state, browser)
        if row is None:
            self._audit.record("oauth_login", "failure", provider=provider, reason=EXPIRED)
            return Arrival(error=EXPIRED)
        linking, redirect_to = row.linking_user_id is not None, row.redirect_to
        try:
            turn = await self._throttle.claim(f"oauth-answer:{row.state_hash}", Rule(1, self._state_ttl))
            if not turn.allowed:
                raise UnknownExchange
            exchange_id = await self._conclude(known, row, state, params)
        except RegStackError as error:
            word = word_for(error)
            if word is None:
                raise
            logger.info("sign-in with %s ended in %s: %s", provider, word, _reason(error))
            self._audit.record(
                "oauth_link" if linking else "oauth_login", "failure", provider=provider, reason=word
            )
            return Arrival(error=word, linking=linking, redirect_to=redirect_to)
        return Arrival(exchange_id=exchange_id, linking=linking, redirect_to=redirect_to)

    async def _depart(
        self,
        provider: str,
        redirect_to: str | None,
        browser: str | None,
        session: Session | None = None,
    ) -> Departure:
        known = self._provider(provider)
        browser = browser if browser is not None and _BROWSER.fullmatch(browser) else new_token()
        # The key's id, so that a run outlives a change of the key; the token's id of a session
        # that links, so that its end ends the run.
        state = ".".join((self._keys.current_kid, new_token(), *([session.claims.jti] if session else [])))
        url = await known.authorization_url(
            state=state, redirect_uri=self._callback(known), **self._secrets(state)
        )
        now = self._clock.now()
        until = now + self._state_ttl
        stored = await self._states.create(
            OAuthState(
                state_hash=hash_token(state),
                provider=provider,
                browser_hash=hash_token(browser),
                redirect_to=local_path(redirect_to),
                linking_user_id=session.user.id if session else None,
                created_at=now,
                expires_at=min(until, session.claims.expires_at) if session else until,
                result_token_version=session.user.token_version if session else None,
            )
        )
        if not stored:
            raise InvalidToken
        return Departure(url, browser, int((self._state_ttl + self._completion_ttl).total_seconds()))

    async def _own_run(self, provider: str, state: str, browser: str | None) -> OAuthState | None:
        """Find the run that an answer belongs to, if this browser began it with this provider."""
        if len(state) > _MAX_STATE:
            return None
        row = await self._states.find(hash_token(state))
        if row is None or row.result_hash is not None or not began(row, browser):
            return None
        if row.provider != provider:
            logger.warning("an answer for %s came to the callback of %s", row.provider, provider)
            return None
        return row

    async def _conclude(
        self, provider: OAuthProvider, row: OAuthState, state: str, params: Mapping[str, str]
    ) -> str | None:
        """Identify the person; then link, or store what can be exchanged and give its id."""
        external = await provider.identify(
            params, redirect_uri=self._callback(provider), **self._secrets(state)
        )
        if row.linking_user_id is not None:
            _, _, jti = state.rpartition(".")
            if row.result_token_version is None or await self._blacklist.is_revoked(jti):
                raise InvalidToken
            await self._accounts.link(row.linking_user_id, row.result_token_version, provider.name, external)
            return None
        entrance = await self._accounts.enter(provider.name, external)
        exchange_id, now = new_exchange_id(entrance.identity), self._clock.now()
        stored = await self._states.set_result(
            row.state_hash,
            result_hash=hash_token(exchange_id),
            user_id=entrance.user.id,
            token_version=entrance.user.token_version,
            was_new_account=entrance.is_new,
            expires_at=now + self._completion_ttl,
            now=now,
        )
        if not stored:
            raise UnknownExchange
        return exchange_id

    def _provider(self, name: str) -> OAuthProvider:
        try:
            return self._providers[name]
        except KeyError:
            raise UnknownProvider from None

    def _callback(self, provider: OAuthProvider) -> str:
        return provider.redirect_uri or f"{self._callback_base}/{provider.name}/callback"

    def _secrets(self, state: str) -> dict[str, str]:
        """Derive PKCE verifier (RFC 7636, section 4.1) and nonce from the state.

        Raises:
            UnknownExchange: the key that they were derived with is gone.
        """
        kid = state.partition(".")[0]

        def derive(purpose: str) -> str:
            return hmac.new(self._keys.derive(purpose, kid), state.encode(), hashlib.sha256).hexdigest()

        try:
            return {"verifier": derive("oauth/verifier"), "nonce": derive("oauth/nonce")}
        except KeyError:
            raise UnknownExchange from None


def word_for(error: RegStackError) -> str | None:
    """Give the word of `ERROR_WORDS` for an error, or for its nearest base that has one."""
    return next((ERROR_WORDS[base] for base in type(error).__mro__ if base in ERROR_WORDS), None)


def _reason(error: RegStackError) -> str:
    return one_line(error.reason if isinstance(error, OAuthError) else error)
