"""The providers that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from regstack.config.loader import explain
from regstack.config.oauth import OAuthProviderConfig
from regstack.errors import ConfigurationError
from regstack.oauth.apple import AppleProvider
from regstack.oauth.fetch import Fetcher
from regstack.oauth.github import GitHubProvider
from regstack.oauth.microsoft import MicrosoftProvider
from regstack.oauth.oidc import GoogleProvider, OidcProvider

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.config.oauth import OAuthConfig
    from regstack.oauth.provider import OAuthProvider

_OPENID: Final[dict[str, type[OidcProvider]]] = {
    "oidc": OidcProvider,
    "google": GoogleProvider,
    "microsoft": MicrosoftProvider,
    "apple": AppleProvider,
}


def make_providers(config: OAuthConfig, clock: Clock) -> dict[str, OAuthProvider]:
    """Build a client for each provider of the settings, in their order, by name; nothing is asked yet.

    Raises:
        ConfigurationError: the extra `oauth` is not installed, a key cannot be read, Google is half
            set or twice, or there is none at all.
    """
    fetcher = Fetcher()
    settings = dict(config.providers)
    if config.google_client_id is not None or config.google_client_secret is not None:
        if "google" in settings:
            raise ConfigurationError("Google is set twice: oauth.google_client_id and oauth.providers.google")
        settings["google"] = _google(config)
    if not settings:
        raise ConfigurationError(
            "enable_oauth is set and no provider is; write one under [oauth.providers.NAME], or leave it off"
        )
    return {name: _make(name, provider, fetcher, clock) for name, provider in settings.items()}


def _google(config: OAuthConfig) -> OAuthProviderConfig:
    """The settings that 0.9 had for Google, as those of a provider."""
    if config.google_client_id is None or config.google_client_secret is None:
        raise ConfigurationError("set both oauth.google_client_id and oauth.google_client_secret, or neither")
    try:
        return OAuthProviderConfig(
            kind="google",
            client_id=config.google_client_id,
            client_secret=config.google_client_secret,
            redirect_uri=config.google_redirect_uri,
        )
    except ValidationError as error:
        raise explain(error) from None


def _make(name: str, config: OAuthProviderConfig, fetcher: Fetcher, clock: Clock) -> OAuthProvider:
    if config.kind == "github":
        return GitHubProvider(name, config, fetcher)
    return _OPENID[config.kind](name, config, fetcher, clock)
