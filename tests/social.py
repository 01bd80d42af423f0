"""Social sign-in without a network: a provider in this process, and browsers that go to it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from regstack.errors import OAuthDenied, OAuthError, OAuthRejected
from regstack.oauth.account import ExternalAccount


def person(name: str = "alice", **fields: object) -> ExternalAccount:
    """Make somebody with a confirmed address; the subject says nothing of it."""
    values = {
        "issuer": "https://acme.example",
        "subject": f"subject of {name}",
        "email": f"{name}@example.com",
        "email_verified": True,
        "full_name": name.title(),
    }
    return ExternalAccount(**(values | fields))  # type: ignore[arg-type]


def query_of(url: str) -> dict[str, str]:
    """The parameters in the query of a URL."""
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def providers() -> dict[str, Any]:
    """Two providers."""
    return {
        "acme": FakeProvider(),
        "other": FakeProvider("other", "Other & Sons", "https://other.example"),
    }


@dataclass
class FakeProvider:
    """Implements `regstack.oauth.provider.OAuthProvider`.

    A code is good once, and only together with the nonce, the verifier and the callback URL of
    the request that it answers.

    Attributes:
        broken: what every call raises, if anything.
        identified: how often a code was used.
        closed: `aclose` was called.
    """

    name: str = "acme"
    label: str = "Acme"
    origin: str = "https://acme.example"
    redirect_uri: str | None = None
    broken: OAuthError | None = None
    identified: int = 0
    closed: bool = False
    _requests: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _codes: dict[str, tuple[ExternalAccount, tuple[str, ...]]] = field(default_factory=dict)

    async def authorization_url(self, *, state: str, nonce: str, verifier: str, redirect_uri: str) -> str:
        if self.broken is not None:
            raise self.broken
        self._requests[state] = (nonce, verifier, redirect_uri)
        return f"{self.origin}/authorize?{urlencode({'state': state, 'redirect_uri': redirect_uri})}"

    def consent(self, authorization_url: str, who: ExternalAccount) -> dict[str, str]:
        """Sign somebody in, and give the parameters that the browser is sent back with."""
        state = query_of(authorization_url)["state"]
        return {"state": state, "code": self.code(state, who)}

    def code(self, state: str, who: ExternalAccount) -> str:
        """Make a code in answer to the request that had this state."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = (who, self._requests[state])
        return code

    async def identify(
        self, params: Mapping[str, str], *, nonce: str, verifier: str, redirect_uri: str
    ) -> ExternalAccount:
        if self.broken is not None:
            raise self.broken
        if "error" in params:
            raise OAuthDenied(params["error"])
        self.identified += 1
        who, request = self._codes.pop(params.get("code", ""), (None, ()))
        if who is None or request != (nonce, verifier, redirect_uri):
            raise OAuthRejected("the code is unknown, used, or of another request")
        return who

    async def aclose(self) -> None:
        self.closed = True


class Browser:
    """Keeps cookies, and follows no redirect by itself."""

    def __init__(self, world: Any) -> None:
        self.world = world
        transport, base_url = world.client._transport, world.rs.config.base_url
        self.client = httpx2.AsyncClient(transport=transport, base_url=base_url)
        self.prefix = f"{world.rs.config.api_prefix}/oauth"

    @property
    def cookie(self) -> str | None:
        """The cookie that binds its runs to it."""
        return next((value for name, value in self.client.cookies.items() if "-oauth" in name), None)

    def provider(self, name: str) -> FakeProvider:
        found = self.world.rs.oauth.providers[name]
        assert isinstance(found, FakeProvider)
        return found

    async def start(self, provider: str = "acme", **query: str) -> str:
        """Begin a sign-in; gives the URL at the provider."""
        answer = await self.client.get(f"{self.prefix}/{provider}/start", params=query)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def start_link(self, token: str, provider: str = "acme", **query: str) -> str:
        """Begin to link; gives the URL at the provider."""
        headers = {"Authorization": f"Bearer {token}"}
        path = f"{self.prefix}/{provider}/link/start"
        answer = await self.client.post(path, headers=headers, params=query)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["authorization_url"])

    async def come_back(self, params: Any, provider: str = "acme") -> str:
        """Bring the provider's answer; gives where that leads."""
        answer = await self.client.get(f"{self.prefix}/{provider}/callback", params=params)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def visit(self, who: ExternalAccount, provider: str = "acme", **query: str) -> str:
        """Go to the provider as somebody and come back; gives where that leads."""
        url = await self.start(provider, **query)
        return await self.come_back(self.provider(provider).consent(url, who), provider)

    async def link(self, token: str, who: ExternalAccount, provider: str = "acme", **query: str) -> str:
        """Link somebody's account at the provider; gives where that leads."""
        url = await self.start_link(token, provider, **query)
        return await self.come_back(self.provider(provider).consent(url, who), provider)

    async def exchange(self, location: str) -> httpx2.Response:
        """Exchange the id in an address."""
        return await self.client.post(f"{self.prefix}/exchange", json={"id": query_of(location)["id"]})

    async def sign_in(self, who: ExternalAccount, provider: str = "acme", **query: str) -> dict[str, Any]:
        """The whole way; gives the answer of the exchange."""
        location = await self.visit(who, provider, **query)
        answer = await self.exchange(location)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def auto_linking(**settings: Any) -> dict[str, Any]:
    return {
        "enable_oauth": True,
        "oauth_providers": providers(),
        "oauth": {"auto_link_verified_emails": True},
    } | settings


async def identities(world: Any, email: str = "alice@example.com") -> list[str]:
    user = await world.rs.users.get_by_email(email)
    return [identity.subject for identity in await world.rs.oauth_identities.list_for_user(user.id)]
