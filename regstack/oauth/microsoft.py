"""Microsoft Entra ID and personal Microsoft accounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from regstack.config.oauth import MANY_TENANTS
from regstack.errors import OAuthRejected
from regstack.oauth.metadata import fetch_metadata
from regstack.oauth.oidc import OidcProvider

if TYPE_CHECKING:
    from regstack.config.oauth import OAuthProviderConfig
    from regstack.oauth.metadata import ProviderMetadata

PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal accounts."""

_TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEMPLATE = "{tenantid}"
_YES = frozenset({"1", "true"})


class MicrosoftProvider(OidcProvider):
    """Where the document for many tenants has an issuer with a gap, which each token's `tid` fills.

    The identity is (issuer, sub), so two tenants never have one person in common. An address is
    what the tenant's administrator wrote: not one of those that `email` holds is proven ("nOAuth",
    Descope 2023), but for a token whose optional claim `xms_edov` says that the domain's owner was.
    """

    default_label = "Microsoft"
    default_issuer = "https://login.microsoftonline.com"
    auth_method = "client_secret_post"

    async def _fetch_metadata(self) -> ProviderMetadata:
        tenant = _tenant(self._config)
        return await fetch_metadata(
            self._fetcher, f"{self._server}/{tenant}/v2.0", self._issuer_for(_issued_as(tenant))
        )

    @property
    def _server(self) -> str:
        return self._issuer.rstrip("/")

    def _issuer_for(self, tenant: str) -> str:
        return f"{self._server}/{tenant}/v2.0"

    def _issuer_of(self, claims: dict[str, Any]) -> str:
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or not self._is_let_in(tenant):
            raise OAuthRejected("ID token: of another tenant")
        return self._issuer_for(tenant)

    def _is_let_in(self, tenant: str) -> bool:
        if not _TENANT_ID.fullmatch(tenant):
            return False
        wanted = _tenant(self._config)
        if wanted == "common":
            return True
        if wanted == "organizations":
            return tenant != PERSONAL_ACCOUNTS
        return tenant == (PERSONAL_ACCOUNTS if wanted == "consumers" else wanted)

    def _is_own_issuer(self, issuer: str) -> bool:
        start, end = self._issuer_for(_TEMPLATE).split(_TEMPLATE)
        tenant = issuer[len(start) : -len(end)]
        return issuer == start + tenant + end and self._is_let_in(tenant)

    def _says_verified(self, claims: dict[str, Any]) -> bool:
        # Written as a boolean, a number or a text, by the kind of token.
        return str(claims.get("xms_edov")).lower() in _YES


def _tenant(config: OAuthProviderConfig) -> str:
    return config.tenant or ""  # the settings demand one


def _issued_as(tenant: str) -> str:
    if tenant == "consumers":
        return PERSONAL_ACCOUNTS
    return _TEMPLATE if tenant in MANY_TENANTS else tenant
