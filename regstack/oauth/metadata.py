"""What a provider says of itself: OpenID Connect Discovery 1.0, RFC 8414."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regstack.config.urls import check_secure_url, is_loopback
from regstack.errors import OAuthRejected

if TYPE_CHECKING:
    from regstack.oauth.fetch import Fetcher

WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The parts of it that a client needs.

    Attributes:
        issuer: who signs; Microsoft writes a template.
        authorization_endpoint: where the browser goes.
        token_endpoint: where a code is exchanged.
        jwks_uri: where the keys are.
        userinfo_endpoint: where claims are, beside those of the ID token.
        auth_methods: how clients may prove themselves.
        answers_with_issuer: whether every answer carries `iss` (RFC 9207).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    auth_methods: tuple[str, ...]
    answers_with_issuer: bool


async def fetch_metadata(fetcher: Fetcher, base: str, issuer: str) -> ProviderMetadata:
    """Fetch the description below `base`, which must be that of `issuer` (section 4.3).

    Raises:
        OAuthUnavailable: it cannot be had.
        OAuthRejected: it names another issuer, or leads where no secret may go.
    """
    document = await fetcher.get("discovery", base.rstrip("/") + WELL_KNOWN)
    if not isinstance(document, dict):
        raise OAuthRejected("discovery: not an object")
    if document.get("issuer") != issuer:
        raise OAuthRejected("discovery: the document names another issuer than the settings")
    may_be_local = is_loopback(base)

    def endpoint(name: str) -> str:
        return _endpoint(document, name, may_be_local)

    return ProviderMetadata(
        issuer=issuer,
        authorization_endpoint=endpoint("authorization_endpoint"),
        token_endpoint=endpoint("token_endpoint"),
        jwks_uri=endpoint("jwks_uri"),
        userinfo_endpoint=endpoint("userinfo_endpoint") if document.get("userinfo_endpoint") else None,
        auth_methods=_names(document.get("token_endpoint_auth_methods_supported")),
        answers_with_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: dict[str, Any], name: str, may_be_local: bool) -> str:
    url = document.get(name)
    try:
        if not isinstance(url, str):
            raise ValueError  # noqa: TRY004 - as any other value that is no URL
        # An authorization endpoint may have a query (RFC 6749, section 3.1), the others too.
        check_secure_url(url.partition("?")[0])
        if "#" in url or not url.isascii() or not url.isprintable():
            raise ValueError
    except ValueError:
        raise OAuthRejected(f"discovery: {name} is missing or not https") from None
    # A server elsewhere has no business on this machine.
    if is_loopback(url) and not may_be_local:
        raise OAuthRejected(f"discovery: {name} leads to this machine")
    return url


def _names(value: object) -> tuple[str, ...]:
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else ()
