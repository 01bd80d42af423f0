"""One sign-in, as the flow of the application runs it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from regstack.oauth.account import ExternalAccount
from regstack.oauth.provider import OAuthProvider
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
