"""Any OpenID provider, by its discovery document."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from regstack.errors import OAuthError, OAuthRejected
from regstack.oauth.account import ExternalAccount
from regstack.oauth.claims import email_in, name_in
from regstack.oauth.code_flow import CodeFlow, code_of
from regstack.oauth.id_token import IdTokenChecker
from regstack.oauth.key_set import KeySet
from regstack.oauth.metadata import fetch_metadata
from regstack.oauth.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regstack.auth.clock import Clock
    from regstack.config.oauth import OAuthProviderConfig
    from regstack.oauth.code_flow import TokenAnswer
    from regstack.oauth.fetch import Fetcher
    from regstack.oauth.metadata import ProviderMetadata

logger = logging.getLogger(__name__)


class OidcProvider:
    """An OpenID provider (OpenID Connect Core 1.0), as a client with the code flow.

    The kinds of provider that stray from the standard are subclasses, which say where.

    Args:
        name: its name in the settings.
        config: its settings.
        fetcher: asks it.
        clock: where the time comes from.
    """

    default_label = ""
    default_issuer = ""
    default_scopes = "openid email profile"
    auth_method: str | None = None
    """How the client proves itself, where the provider's description is silent or wrong."""

    def __init__(self, name: str, config: OAuthProviderConfig, fetcher: Fetcher, clock: Clock) -> None:
        self.name = name
        self.label = config.label or self.default_label or name
        self.redirect_uri = config.redirect_uri
        self._config = config
        self._fetcher = fetcher
        self._clock = clock
        self._issuer = config.issuer or self.default_issuer
        self._flow = CodeFlow(
            fetcher, config.client_id, self._client_secret(config), config.scopes or self.default_scopes
        )
        self._keys = KeySet(fetcher)
        self._tokens = IdTokenChecker(self._keys, clock, config.client_id, self._issuer_of)
        self._metadata: Remembered[ProviderMetadata] = Remembered(self._fetch_metadata)

    async def authorization_url(self, *, state: str, nonce: str, verifier: str, redirect_uri: str) -> str:
        """Give the URL at the provider to send the browser to; see `OAuthProvider`."""
        try:
            metadata = await self._metadata.get()
        except OAuthError as error:
            logger.warning("no sign-in with %s: %s", self.name, error.reason)
            raise
        return self._flow.authorization_url(
            metadata.authorization_endpoint,
            state=state,
            verifier=verifier,
            redirect_uri=redirect_uri,
            nonce=nonce,
            **self._more_parameters(),
        )

    async def identify(
        self, params: Mapping[str, str], *, nonce: str, verifier: str, redirect_uri: str
    ) -> ExternalAccount:
        """Use up the answer's code and say who signed in; see `OAuthProvider`."""
        try:
            metadata = await self._metadata.get()
            # Before anything is sent: a code of another provider is not for this one's eyes.
            self._check_response_issuer(params.get("iss"), metadata)
            answer = await self._flow.exchange(
                metadata.token_endpoint,
                code_of(params),
                verifier=verifier,
                redirect_uri=redirect_uri,
                method=self._choose_auth_method(metadata),
            )
            claims = await self._tokens.check(
                answer.id_token, metadata.jwks_uri, nonce=nonce, access_token=answer.access_token
            )
            return self._account(await self._complete(claims, answer, metadata), params)
        except OAuthError as error:
            logger.warning("no sign-in with %s: %s", self.name, error.reason)
            raise

    async def aclose(self) -> None:
        """Give up what is under way."""
        await self._metadata.aclose()
        await self._keys.aclose()

    def _fetch_metadata(self) -> Any:
        return fetch_metadata(self._fetcher, self._issuer, self._issuer)

    def _client_secret(self, config: OAuthProviderConfig) -> Callable[[], str] | None:
        secret = config.client_secret
        return None if secret is None else secret.get_secret_value

    def _more_parameters(self) -> dict[str, str]:
        return {}

    def _issuer_of(self, _claims: dict[str, Any]) -> str:
        return self._issuer

    def _check_response_issuer(self, issuer: str | None, metadata: ProviderMetadata) -> None:
        if issuer is None and metadata.answers_with_issuer:
            raise OAuthRejected("callback: without the provider's issuer (RFC 9207)")
        if issuer is not None and not self._is_own_issuer(issuer):
            raise OAuthRejected("callback: the answer of another provider (RFC 9207)")

    def _is_own_issuer(self, issuer: str) -> bool:
        return issuer == self._issuer

    def _choose_auth_method(self, metadata: ProviderMetadata) -> str:
        if self._config.token_endpoint_auth_method is not None:
            return self._config.token_endpoint_auth_method
        if self.auth_method is not None:
            return self.auth_method
        # A provider that names none takes the first (OpenID Connect Discovery 1.0, section 3).
        offered = metadata.auth_methods or ("client_secret_basic",)
        return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"

    async def _complete(
        self, claims: dict[str, Any], answer: TokenAnswer, metadata: ProviderMetadata
    ) -> dict[str, Any]:
        """Fetch what the ID token leaves to the UserInfo endpoint (sections 5.3 and 5.4)."""
        if "email" in claims or metadata.userinfo_endpoint is None:
            return claims
        more = await self._fetcher.get(
            "userinfo", metadata.userinfo_endpoint, {"Authorization": f"Bearer {answer.access_token}"}
        )
        if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
            raise OAuthRejected("userinfo: of another person")
        # Nothing that was not signed stands in for what was, and no word of the token is on an
        # address that it does not hold.
        told = {name: more.get(name) for name in ("email", "email_verified")}
        return {
            "iss": claims["iss"],
            "sub": claims["sub"],
            "name": claims.get("name", more.get("name")),
            **told,
        }

    def _account(self, claims: dict[str, Any], _params: Mapping[str, str]) -> ExternalAccount:
        email = email_in(claims)
        return ExternalAccount(
            issuer=claims["iss"],
            subject=claims["sub"],
            email=email,
            email_verified=email is not None and self._is_verified(claims),
            full_name=name_in(claims),
        )

    def _is_verified(self, claims: dict[str, Any]) -> bool:
        trust = self._config.trust_email
        return self._says_verified(claims) if trust is None else trust

    def _says_verified(self, claims: dict[str, Any]) -> bool:
        return claims.get("email_verified") is True


class GoogleProvider(OidcProvider):
    """Google, which keeps to the standard.

    `hd` is left unread: it says whose directory the account is in, and proves no address.
    """

    default_label = "Google"
    default_issuer = "https://accounts.google.com"
