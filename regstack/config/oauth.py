"""Settings of sign-in with external providers."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from regstack.config.section import Section
from regstack.config.urls import check_secure_url

ProviderKind = Literal["oidc", "google", "microsoft", "apple", "github"]
ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]

PUBLIC_CLIENT = "none"
"""The `token_endpoint_auth_method` of a client without a secret (RFC 7591, section 2)."""

MANY_TENANTS = frozenset({"common", "organizations", "consumers"})
"""Values of `tenant` that are no tenant's own id."""

_TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WELL_KNOWN = "/.well-known/openid-configuration"


class OAuthProviderConfig(Section):
    """One provider; its name in `oauth.providers` is its name in URLs."""

    kind: ProviderKind = Field(
        "oidc", description="`oidc` is any OpenID provider; the others know one service's ways."
    )
    client_id: str = Field(min_length=1, description="Client id that the provider gave out.")
    client_secret: SecretStr | None = Field(
        None, description="Client secret; Apple has none, its secret is signed with `private_key`."
    )
    issuer: str | None = Field(
        None,
        description="The provider's issuer, exactly as its discovery document writes it. Needed for `oidc`; "
        "for the others another server of the same kind (GitHub Enterprise, a sovereign cloud).",
    )
    scopes: str | None = Field(
        None, description="Scopes to ask for, with spaces between; what a sign-in needs where it is not set."
    )
    label: str | None = Field(
        None, max_length=50, description="Name on the button; the service's own where it is not set."
    )
    redirect_uri: str | None = Field(None, description="Callback URL, if not derived from `base_url`.")
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post", "none"] | None = Field(
        None, description="How the client proves itself; what the provider offers where it is not set."
    )
    trust_email: bool | None = Field(
        None,
        description="Whether the provider's addresses count as verified: true all, false none. "
        "Where it is not set, the ones that the provider itself calls verified.",
    )
    tenant: str | None = Field(
        None, description="Microsoft: a tenant's id, or `common`, `organizations`, `consumers`."
    )
    team_id: str | None = Field(None, description="Apple: the developer team's id.")
    key_id: str | None = Field(None, description="Apple: the id of `private_key`.")
    private_key: SecretStr | None = Field(None, description="Apple: the text of the `.p8` file.")
    api_url: str | None = Field(
        None, description="GitHub Enterprise: the URL of its API, if it is not `issuer` with `/api/v3`."
    )

    @field_validator("issuer", "api_url")
    @classmethod
    def _server(cls, value: str | None) -> str | None:
        if value is not None:
            check_secure_url(value)
            if value.endswith(_WELL_KNOWN):
                raise ValueError(f"leave {_WELL_KNOWN} out")
        return value

    @field_validator("redirect_uri")
    @classmethod
    def _callback(cls, value: str | None) -> str | None:
        if value is not None:
            check_secure_url(value)
        return value

    @field_validator("client_secret", "private_key")
    @classmethod
    def _not_empty(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("must not be empty")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for setting in self._needed():
            if getattr(self, setting) is None:
                raise ValueError(f'kind = "{self.kind}" needs {setting}')
        for setting, kind in _BELONGS_TO.items():
            if self.kind != kind and getattr(self, setting) is not None:
                raise ValueError(f'{setting} belongs to kind = "{kind}"')
        if self.kind == "apple" and self.client_secret is not None:
            raise ValueError("Apple has no client_secret; set private_key")
        if self.token_endpoint_auth_method == PUBLIC_CLIENT and self.client_secret is not None:
            raise ValueError('token_endpoint_auth_method = "none" sends no client_secret; leave one out')
        if self.tenant is not None:
            self._check_tenant(self.tenant)
        return self

    def _needed(self) -> list[str]:
        if self.kind == "apple":
            return ["team_id", "key_id", "private_key"]
        needed = [] if self.token_endpoint_auth_method == PUBLIC_CLIENT else ["client_secret"]
        if self.kind == "microsoft":
            return [*needed, "tenant"]
        return ["issuer", *needed] if self.kind == "oidc" else needed

    def _check_tenant(self, tenant: str) -> None:
        if tenant not in MANY_TENANTS and not _TENANT_ID.fullmatch(tenant):
            raise ValueError(
                "tenant is the directory's id in small letters, or one of common, organizations, consumers"
            )
        # Whoever runs any tenant writes any address into it ("nOAuth", 2023).
        if tenant in MANY_TENANTS and self.trust_email:
            raise ValueError("trust_email = true needs the id of one tenant")


_BELONGS_TO = {
    "tenant": "microsoft",
    "team_id": "apple",
    "key_id": "apple",
    "private_key": "apple",
    "api_url": "github",
}


class OAuthConfig(Section):
    """Sign-in with external providers."""

    google_client_id: str | None = Field(None, description="Google client id.")
    google_client_secret: SecretStr | None = Field(None, description="Google client secret.")
    google_redirect_uri: str | None = Field(None, description="Callback URL, if not derived from `base_url`.")
    providers: dict[ProviderName, OAuthProviderConfig] = Field(
        {}, description="Providers, each in a table of its own under its name."
    )
    auto_link_verified_emails: bool = Field(
        False, description="Link to an account with the same address if both sides are verified."
    )
    enforce_mfa_on_oauth_signin: bool = Field(
        False, description="Ask for the second factor after a social sign-in."
    )
    state_ttl_seconds: int = Field(300, gt=0, description="How long a sign-in at the provider may take.")
    completion_ttl_seconds: int = Field(30, gt=0, description="How long the exchange id is good.")
    link_session_max_age_seconds: int = Field(
        600,
        gt=0,
        description="How long after a sign-in another provider can be linked without the current password.",
    )
