"""Whole sign-ins with providers that others wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from regstack.auth.clock import SystemClock
from regstack.config.oauth import OAuthConfig
from regstack.errors import OAuthDenied, OAuthRejected
from regstack.oauth.account import ExternalAccount
from regstack.oauth.providers import make_providers
from tests.servers.oidc import MockProvider, NodeProvider
from tests.unit.oauth.flow import Flow

CLIENTS = ("basic", "post", "public", "PS256", "ES256", "EdDSA")


@pytest.fixture
def client(oidc_provider: NodeProvider, make_provider: Callable[..., Any]) -> Callable[[str], Flow]:
    """Begins a sign-in of one of the provider's clients."""

    def begin(name: str = "basic") -> Flow:
        public = {"client_secret": None, "token_endpoint_auth_method": "none"}
        secret = {"client_secret": oidc_provider.CLIENT_SECRET}
        method = {"token_endpoint_auth_method": "client_secret_post"} if name == "post" else {}
        settings = public if name == "public" else secret | method
        return Flow(make_provider(issuer=oidc_provider.issuer, client_id=name, **settings))

    return begin


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_person_signs_in(
    client: Callable[[str], Flow], oidc_provider: NodeProvider, name: str
) -> None:
    flow = client(name)
    assert await flow.finish(await flow.walk()) == ExternalAccount(
        oidc_provider.issuer, "alice", "alice@example.com", True, "Alice Adams"
    )


async def test_an_address_that_the_provider_does_not_vouch_for_is_not_verified(client: Any) -> None:
    flow = client()
    account = await flow.finish(await flow.walk("bob"))
    assert (account.email, account.email_verified) == ("bob@example.com", False)


async def test_who_says_no_is_denied(client: Any) -> None:
    flow = client()
    params = await flow.walk("nobody")
    with pytest.raises(OAuthDenied, match="cancelled") as caught:
        await flow.finish(params)
    assert caught.value.reason == "callback: access_denied"


async def test_a_code_works_once(client: Any) -> None:
    flow = client()
    params = await flow.walk()
    await flow.finish(params)
    with pytest.raises(OAuthRejected) as caught:
        await flow.finish(params)
    assert caught.value.reason == "token endpoint: invalid_grant (status 400)"


async def test_a_code_of_one_flow_is_nothing_in_another(client: Any) -> None:
    theirs, ours = client(), client()
    params = await theirs.walk()
    with pytest.raises(OAuthRejected, match="failed"):
        await ours.finish(params)


async def test_a_code_with_the_right_verifier_and_another_nonce_is_refused(client: Any) -> None:
    flow = client()
    with pytest.raises(OAuthRejected) as caught:
        await flow.finish(await flow.walk(), nonce="another")
    assert caught.value.reason == "ID token: another nonce"


@pytest.mark.parametrize("issuer", [None, "https://elsewhere.example"])
async def test_an_answer_without_the_providers_issuer_is_refused_before_its_code_goes_anywhere(
    client: Any, issuer: str | None
) -> None:
    flow = client()
    params = await flow.walk()
    right = params.pop("iss")
    with pytest.raises(OAuthRejected) as caught:
        await flow.finish(params | ({"iss": issuer} if issuer else {}))
    assert "RFC 9207" in caught.value.reason
    assert (await flow.finish(params | {"iss": right})).subject == "alice"


async def test_a_wrong_secret_is_refused(oidc_provider: NodeProvider, make_provider: Any) -> None:
    flow = Flow(make_provider(issuer=oidc_provider.issuer, client_id="basic", client_secret="wrong"))
    with pytest.raises(OAuthRejected) as caught:
        await flow.finish(await flow.walk())
    assert caught.value.reason == "token endpoint: invalid_client (status 401)"


async def test_a_second_provider_of_other_people_agrees(oidc_mock: MockProvider, make_provider: Any) -> None:
    flow = Flow(make_provider(issuer=oidc_mock.issuer))
    params = await flow.walk("alice")
    assert await flow.finish(params) == ExternalAccount(
        oidc_mock.issuer, "alice", "alice@example.com", True, "Alice Adams"
    )
    with pytest.raises(OAuthRejected):
        await flow.finish(params)


def test_one_client_serves_event_loops_one_after_the_other(oidc_provider: NodeProvider) -> None:
    settings = {
        "issuer": oidc_provider.issuer,
        "client_id": "basic",
        "client_secret": oidc_provider.CLIENT_SECRET,
    }
    provider = make_providers(OAuthConfig.model_validate({"providers": {"acme": settings}}), SystemClock())[
        "acme"
    ]
    for _ in range(2):
        flow = Flow(provider)
        params = asyncio.run(flow.walk())
        assert asyncio.run(flow.finish(params)).subject == "alice"
    asyncio.run(provider.aclose())
