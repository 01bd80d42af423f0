"""Clients for real providers and for a scripted one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest

from regstack.auth.clock import SystemClock
from regstack.config.oauth import OAuthConfig
from regstack.oauth.provider import OAuthProvider
from regstack.oauth.providers import make_providers
from tests.servers.lying_provider import LyingProvider
from tests.unit.oauth.flow import Flow


@pytest.fixture(scope="session", autouse=True)
def certificates() -> Iterator[None]:
    """Read the certificates of the system once: for each client it would take a tenth of a second."""
    context = httpx2.create_ssl_context()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx2, "create_ssl_context", lambda: context)
        yield


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


@pytest.fixture
async def liar() -> AsyncIterator[LyingProvider]:
    """A provider that says what the test tells it to say."""
    async with LyingProvider() as provider:
        yield provider


@pytest.fixture
def flow(liar: LyingProvider, make_provider: Callable[..., OAuthProvider]) -> Flow:
    """A sign-in with that provider."""
    flow = Flow(make_provider(issuer=liar.issuer))
    liar.nonce = flow.nonce
    return flow
