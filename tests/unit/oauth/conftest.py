"""Clients for real providers and for a scripted one."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from regstack.auth.clock import SystemClock
from regstack.config.oauth import OAuthConfig
from regstack.oauth.account import ExternalAccount
from regstack.oauth.provider import OAuthProvider
from regstack.oauth.providers import make_providers
from tests.servers.oidc import REDIRECT_URI, sign_in


@dataclass
class Flow:
    """One sign-in of one client, with secrets of its own."""

    provider: OAuthProvider
    state: str = field(default_factory=secrets.token_urlsafe)
    nonce: str = field(default_factory=secrets.token_urlsafe)
    verifier: str = field(default_factory=secrets.token_urlsafe)

    async def url(self) -> str:
        return await self.provider.authorization_url(
            state=self.state, nonce=self.nonce, verifier=self.verifier, redirect_uri=REDIRECT_URI
        )

    async def finish(self, params: dict[str, str], **changed: str) -> ExternalAccount:
        values = {"nonce": self.nonce, "verifier": self.verifier, "redirect_uri": REDIRECT_URI, **changed}
        return await self.provider.identify(params, **values)

    async def walk(self, account: str | None = None) -> dict[str, str]:
        """Let the person sign in; gives the callback's parameters without the state."""
        params = await sign_in(await self.url(), account)
        assert params.pop("state") == self.state
        return params


@pytest.fixture
async def make_provider() -> AsyncIterator[Callable[..., OAuthProvider]]:
    """Makes the client of one provider from its settings."""
    made: list[OAuthProvider] = []

    def make(**settings: Any) -> OAuthProvider:
        clock = settings.pop("clock", SystemClock())
        settings = {"client_id": "client", "client_secret": "hush", **settings}
        settings = {name: value for name, value in settings.items() if value is not None}
        providers = make_providers(OAuthConfig.model_validate({"providers": {"acme": settings}}), clock)
        made.append(providers["acme"])
        return providers["acme"]

    yield make
    for provider in made:
        await provider.aclose()
