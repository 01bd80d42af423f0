"""The providers that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.config.schema import OAuthConfig
    from regstack.oauth.provider import OAuthProvider


def make_providers(config: OAuthConfig, clock: Clock) -> dict[str, OAuthProvider]:  # noqa: ARG001
    """Make the providers of the section `oauth`, by their names; connects to nothing.

    Raises:
        ConfigurationError: none is configured, or one lacks a setting.
    """
    raise ConfigurationError("enable_oauth: no provider is configured; pass some as `oauth_providers`")
