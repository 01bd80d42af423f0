"""Response bodies of what succeeds."""

# Without `from __future__ import annotations`: pydantic would compile the text of each field again.

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.user import User
from regstack.services.oauth_exchange import SignIn
from regstack.services.second_factor import MfaChallenge
from regstack.services.sessions import AccessToken
from regstack.services.texted_codes import SentCode


class Answer(BaseModel):
    """A response body, or a part of one."""

    model_config = ConfigDict(defer_build=True)


class UserAnswer(Answer):
    """An account."""

    id: str
    email: str
    is_active: bool
    is_verified: bool
    is_superuser: bool
    full_name: str | None
    phone_number: str | None
    is_mfa_enabled: bool
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None
    tokens_invalidated_after: datetime | None

    @classmethod
    def of(cls, user: User) -> Self:
        """Show what of an account is public to its owner and to administrators."""
        return cls.model_validate(user, from_attributes=True)


class PendingAnswer(Answer):
    """A registration that waits for its address to be confirmed."""

    status: Literal["pending_verification"] = "pending_verification"
    email: str
    expires_at: datetime


class TokenAnswer(Answer):
    """An access token (RFC 6750)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: Annotated[int, Field(description="Seconds.")]

    @classmethod
    def of(cls, token: AccessToken) -> Self:
        """Show a token to whom it was issued."""
        return cls(access_token=token.text, expires_in=token.expires_in)


class DeliveryAnswer(Answer):
    """How a code travels."""

    channel: Literal["sms"]
    hint: Annotated[str, Field(description="The end of the phone number.", examples=["…00"])]


class MfaRequiredAnswer(Answer):
    """The password was right; a code is on its way, and goes to `/login/mfa-confirm`."""

    status: Literal["mfa_required"] = "mfa_required"
    mfa_pending_token: str
    expires_in: Annotated[int, Field(description="Seconds that the token is good for.")]
    delivery: DeliveryAnswer

    @classmethod
    def of(cls, challenge: MfaChallenge) -> Self:
        """Show a half-finished sign-in to whoever began it."""
        delivery = DeliveryAnswer(channel=challenge.delivery.channel, hint=challenge.delivery.hint)
        return cls(mfa_pending_token=challenge.token, expires_in=challenge.expires_in, delivery=delivery)


class CodeSentAnswer(Answer):
    """A code is on its way, and goes to `/phone/confirm`."""

    status: Literal["code_sent"] = "code_sent"
    pending_token: str
    expires_in: Annotated[int, Field(description="Seconds that the token is good for.")]

    @classmethod
    def of(cls, sent: SentCode) -> Self:
        """Show a phone set-up to whoever began it."""
        return cls(pending_token=sent.token, expires_in=sent.expires_in)


class Done(Answer):
    """It is done."""

    status: Literal["ok"] = "ok"


class Accepted(Answer):
    """It was taken; what follows, if anything, comes by mail."""

    status: Literal["accepted"] = "accepted"


class LinkedProvider(Answer):
    """A provider that opens the account."""

    provider: str
    email: Annotated[str | None, Field(description="As the provider had it at linking; decides nothing.")]
    linked_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, identity: OAuthIdentity) -> Self:
        """Show what of an identity is its owner's to see."""
        return cls.model_validate(identity, from_attributes=True)


class ProvidersAnswer(Answer):
    """The external providers."""

    available: Annotated[list[str], Field(examples=[["google"]])]
    labels: Annotated[dict[str, str], Field(description="By name.", examples=[{"google": "Google"}])]
    linked: Annotated[list[LinkedProvider], Field(description="Oldest first; empty if not signed in.")]


class LinkStartAnswer(Answer):
    """Where to send the browser."""

    authorization_url: str


class ExchangeAnswer(Answer):
    """A finished sign-in, or one that waits for the second factor."""

    access_token: str | None
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: Annotated[int, Field(description="Seconds; of whichever token is there.")]
    redirect_to: Annotated[str | None, Field(description="A path of this site.")]
    was_new_account: bool
    mfa_required: bool
    mfa_pending_token: str | None

    @classmethod
    def of(cls, sign_in: SignIn) -> Self:
        """Show a sign-in to whom it belongs."""
        outcome = sign_in.outcome
        return cls(
            access_token=None if isinstance(outcome, MfaChallenge) else outcome.text,
            expires_in=outcome.expires_in,
            redirect_to=sign_in.redirect_to,
            was_new_account=sign_in.was_new_account,
            mfa_required=isinstance(outcome, MfaChallenge),
            mfa_pending_token=outcome.token if isinstance(outcome, MfaChallenge) else None,
        )


class StatsAnswer(Answer):
    """How many there are of what."""

    total_users: int
    active_users: int
    verified_users: int
    superusers: int
    pending_registrations: int


class PageAnswer(Answer):
    """One page of accounts."""

    items: list[UserAnswer]
    total: Annotated[int | None, Field(description="Left out (null) when paging by `after`.")]
    skip: int
    limit: int
    next: Annotated[str | None, Field(description="`after` of the next page; null on the last.")]
