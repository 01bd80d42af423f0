"""The authorisation-code grant with PKCE: RFC 6749, section 4.1, RFC 7636 and RFC 9700, through Authlib."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from regstack.errors import OAuthDenied, OAuthRejected, OAuthUnavailable
from regstack.oauth.fetch import library

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regstack.oauth.fetch import Fetcher

MAX_CODE = 4096
"""Characters of a code; Microsoft's have some 1500."""

MAX_TOKEN = 64 * 1024
"""Characters of an access token."""

_ERROR = re.compile(r"[a-z][a-z_]{0,59}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, section 4.1
_FAULTS_OF_THE_PROVIDER = frozenset({"server_error", "temporarily_unavailable"})


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What a code was exchanged for.

    Attributes:
        access_token: for the provider's own interfaces.
        id_token: who signed in; None from plain OAuth 2.
    """

    access_token: str = field(repr=False)
    id_token: object = field(repr=False)


class CodeFlow:
    """The messages between one client and one provider; all parameters of a client are here.

    Args:
        fetcher: asks the provider.
        client_id: the client.
        client_secret: gives its secret, freshly signed where it is a signature; None for a client
            that has none.
        scope: what to ask for.
    """

    def __init__(
        self, fetcher: Fetcher, client_id: str, client_secret: Callable[[], str] | None, scope: str
    ) -> None:
        self._parameters = library("authlib.oauth2.rfc6749.parameters")
        self._pkce = library("authlib.oauth2.rfc7636")
        self._auth = library("authlib.oauth2.auth")
        self._fetcher = fetcher
        self.client_id = client_id
        self._client_secret = client_secret
        self._scope = scope

    def authorization_url(
        self, endpoint: str, *, state: str, verifier: str, redirect_uri: str, **more: str
    ) -> str:
        """Give the URL that begins the flow, with a S256 challenge always."""
        if not _VERIFIER.fullmatch(verifier):
            raise ValueError("the verifier breaks RFC 7636, section 4.1")
        url: str = self._parameters.prepare_grant_uri(
            endpoint,
            client_id=self.client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=self._scope,
            state=state,
            code_challenge=self._pkce.create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            **more,
        )
        return url

    async def exchange(
        self, endpoint: str, code: str, *, verifier: str, redirect_uri: str, method: str
    ) -> TokenAnswer:
        """Exchange a code at the token endpoint.

        Args:
            endpoint: its URL.
            code: as the browser brought it.
            verifier: the PKCE secret.
            redirect_uri: as at the start.
            method: how the client proves itself: `client_secret_basic`, `client_secret_post`, `none`.

        Raises:
            OAuthUnavailable: the provider cannot be reached.
            OAuthRejected: it refused the code, or its answer has no access token.
        """
        form = self._parameters.prepare_token_request(
            "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        _, headers, form = self._authenticate(method, endpoint, headers, form)
        status, answer = await self._fetcher.post("token endpoint", endpoint, headers, form)
        # GitHub reports errors with status 200.
        if status != 200 or "error" in answer:
            raise OAuthRejected(f"token endpoint: {_name_of(answer.get('error'))} (status {status})")
        token, kind = answer.get("access_token"), answer.get("token_type")
        if not isinstance(token, str) or len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
            raise OAuthRejected("token endpoint: no access token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise OAuthRejected("token endpoint: an access token of another type")
        return TokenAnswer(token, answer.get("id_token"))

    def _authenticate(
        self, method: str, endpoint: str, headers: dict[str, str], form: str
    ) -> tuple[str, dict[str, str], str]:
        client_id, secret = self.client_id, self._client_secret() if self._client_secret else ""
        if method == "client_secret_basic":
            # Both are form-encoded first (RFC 6749, section 2.3.1), which Authlib leaves out.
            client_id, secret = quote_plus(client_id), quote_plus(secret)
        auth = self._auth.ClientAuth(client_id, secret, method)
        prepared: tuple[str, dict[str, str], str] = auth.prepare("POST", endpoint, headers, form)
        return prepared


def code_of(params: Mapping[str, str]) -> str:
    """Give the code of a callback's parameters.

    Raises:
        OAuthDenied: they say that the person, or the provider, said no.
        OAuthUnavailable: they tell a fault of the provider.
        OAuthRejected: there is no code, or one that is too long.
    """
    error = params.get("error")
    if error is not None:
        name = _name_of(error)
        if name in _FAULTS_OF_THE_PROVIDER:
            raise OAuthUnavailable(f"callback: {name}")
        raise OAuthDenied(f"callback: {name}")
    code = params.get("code")
    if not isinstance(code, str) or not 0 < len(code) <= MAX_CODE or not _is_plain(code):
        raise OAuthRejected("callback: no code")
    return code


def _is_plain(code: str) -> bool:
    # VSCHAR of RFC 6749, appendix A.11.
    return code.isascii() and code.isprintable()


def _name_of(error: Any) -> str:
    """The error's registered name, or nothing of it: its text is anybody's."""
    return error if isinstance(error, str) and _ERROR.fullmatch(error) else "an unknown error"
