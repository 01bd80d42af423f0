"""One run of the authorisation code flow, from the redirect to the exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class OAuthState:
    """Holds no secret: verifier and nonce are derived from the state, the token is minted last.

    Attributes:
        state_hash: SHA-256 (hex) of the `state` parameter.
        provider: the provider's name in the configuration.
        browser_hash: SHA-256 (hex) of the cookie that ties the flow to one browser.
        redirect_to: where the person wanted to go, already checked.
        linking_user_id: the signed-in account that a link was started from, or None.
        created_at: UTC, milliseconds.
        expires_at: from this instant on the row is invisible.
        result_hash: SHA-256 (hex) of the exchange id, once the provider has answered.
        result_user_id: the account that signs in.
        result_token_version: its `token_version` at that moment. A flow that links an account has
            it from the start: the account's, when the link was asked for.
        was_new_account: the flow created the account.
    """

    state_hash: str = field(repr=False)
    provider: str
    browser_hash: str = field(repr=False)
    redirect_to: str | None
    linking_user_id: str | None
    created_at: datetime
    expires_at: datetime
    result_hash: str | None = field(default=None, repr=False)
    result_user_id: str | None = None
    result_token_version: int | None = None
    was_new_account: bool = False
