"""GitHub, and GitHub Enterprise: plain OAuth 2."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from regstack.errors import OAuthError, OAuthRejected
from regstack.oauth.account import ExternalAccount
from regstack.oauth.claims import email_in, name_in
from regstack.oauth.code_flow import CodeFlow, code_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regstack.config.oauth import OAuthProviderConfig
    from regstack.oauth.fetch import Fetcher

logger = logging.getLogger(__name__)

SERVER = "https://github.com"
API = "https://api.github.com"
SCOPES = "read:user user:email"


class GitHubProvider:
    """A provider without ID tokens: the access token asks GitHub itself who it is for.

    The subject is the account's number: a name can be given up and taken by another. PKCE ties the
    code to the flow, in place of a nonce.

    Args:
        name: its name in the settings.
        config: its settings.
        fetcher: asks it.
    """

    def __init__(self, name: str, config: OAuthProviderConfig, fetcher: Fetcher) -> None:
        self.name = name
        self.label = config.label or "GitHub"
        self.redirect_uri = config.redirect_uri
        self._config = config
        self._fetcher = fetcher
        self._server = (config.issuer or SERVER).rstrip("/")
        own_api = API if self._server == SERVER else f"{self._server}/api/v3"
        self._api = (config.api_url or own_api).rstrip("/")
        secret = config.client_secret
        self._flow = CodeFlow(
            fetcher,
            config.client_id,
            secret.get_secret_value if secret is not None else None,
            config.scopes or SCOPES,
        )

    async def authorization_url(
        self,
        *,
        state: str,
        nonce: str,  # noqa: ARG002 - there is no ID token to carry it
        verifier: str,
        redirect_uri: str,
    ) -> str:
        """Give the URL at the provider to send the browser to; see `OAuthProvider`."""
        return self._flow.authorization_url(
            f"{self._server}/login/oauth/authorize", state=state, verifier=verifier, redirect_uri=redirect_uri
        )

    async def identify(
        self,
        params: Mapping[str, str],
        *,
        nonce: str,  # noqa: ARG002
        verifier: str,
        redirect_uri: str,
    ) -> ExternalAccount:
        """Use up the answer's code and say who signed in; see `OAuthProvider`."""
        try:
            if params.get("iss", self._server) not in {self._server, f"{self._server}/login/oauth"}:
                raise OAuthRejected("callback: the answer of another provider (RFC 9207)")
            answer = await self._flow.exchange(
                f"{self._server}/login/oauth/access_token",
                code_of(params),
                verifier=verifier,
                redirect_uri=redirect_uri,
                method=self._config.token_endpoint_auth_method or "client_secret_post",
            )
            user = await self._ask("user", answer.access_token)
            emails = await self._ask("user/emails", answer.access_token)
        except OAuthError as error:
            logger.warning("no sign-in with %s: %s", self.name, error.reason)
            raise
        return self._account(user, emails)

    async def aclose(self) -> None:
        """Nothing is under way between requests."""

    async def _ask(self, path: str, access_token: str) -> Any:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {access_token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        answer = await self._fetcher.get(path, f"{self._api}/{path}", headers)
        if path == "user" and not (isinstance(answer, dict) and _is_id(answer.get("id"))):
            raise OAuthRejected("user: without its number")
        if path == "user/emails" and not isinstance(answer, list):
            raise OAuthRejected("user/emails: not a list")
        return answer

    def _account(self, user: dict[str, Any], emails: list[Any]) -> ExternalAccount:
        # The address of the public profile is what somebody typed; the list is what GitHub checked.
        primary: dict[str, Any] = next((entry for entry in emails if _is_primary(entry)), {})
        email = email_in(primary)
        trust = self._config.trust_email
        verified = primary.get("verified") is True if trust is None else trust
        return ExternalAccount(
            issuer=self._server,
            subject=str(user["id"]),
            email=email,
            email_verified=email is not None and verified,
            full_name=name_in(user),
        )


def _is_primary(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("primary") is True


def _is_id(value: object) -> bool:
    return type(value) is int and 0 < value < 2**63
