"""What the flow asks of an external provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regstack.oauth.account import ExternalAccount


class OAuthProvider(Protocol):
    """One provider's authorisation-code flow (RFC 6749, section 4.1) with PKCE (RFC 7636)."""

    @property
    def name(self) -> str:
        """The key in the settings and in URLs."""

    @property
    def label(self) -> str:
        """The name on buttons."""

    @property
    def redirect_uri(self) -> str | None:
        """The callback URL of the settings; None where it is derived from `base_url`."""

    async def authorization_url(self, *, state: str, nonce: str, verifier: str, redirect_uri: str) -> str:
        """Give the URL at the provider to send the browser to.

        Args:
            state: comes back with the answer.
            nonce: ties the ID token to this flow.
            verifier: the PKCE secret, 43 to 128 characters of `A-Z a-z 0-9 - . _ ~`; only its hash
                is in the URL.
            redirect_uri: where the answer is to go, as registered at the provider.

        Raises:
            OAuthUnavailable: the provider's description of itself cannot be had.
            OAuthRejected: that description is not to be trusted.
        """

    async def identify(
        self, params: Mapping[str, str], *, nonce: str, verifier: str, redirect_uri: str
    ) -> ExternalAccount:
        """Use up the answer's code and say who signed in.

        Args:
            params: the parameters of the callback: `code`, `iss`, `error` and the like.
            nonce: as at the start of the flow.
            verifier: as at the start of the flow.
            redirect_uri: as at the start of the flow.

        Raises:
            OAuthDenied: the person, or the provider, said no.
            OAuthUnavailable: the provider cannot be reached, or is slow.
            OAuthRejected: the answer is not to be trusted.
        """

    async def aclose(self) -> None:
        """Give up what is under way."""
