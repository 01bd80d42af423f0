"""Social sign-in of one instance, for those who route to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regstack.oauth.provider import OAuthProvider
    from regstack.services.oauth_accounts import OAuthAccounts
    from regstack.services.oauth_exchange import OAuthExchange
    from regstack.services.oauth_flow import OAuthFlow


@dataclass(frozen=True, slots=True)
class OAuth:
    """The parts of social sign-in.

    Attributes:
        providers: by their names, in the order of the settings.
        flow: to a provider and back.
        exchange: the last step of a sign-in.
        accounts: which identity opens which account.
    """

    providers: Mapping[str, OAuthProvider]
    flow: OAuthFlow
    exchange: OAuthExchange
    accounts: OAuthAccounts

    @property
    def labels(self) -> dict[str, str]:
        """What buttons call the providers, by name."""
        return {name: provider.label for name, provider in self.providers.items()}

    async def aclose(self) -> None:
        """Let the providers give up what is under way."""
        for provider in self.providers.values():
            await provider.aclose()
