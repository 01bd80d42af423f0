"""Request and response bodies. Unknown fields in a request are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict  # noqa: TC002 - pydantic's own name

from regstack.auth.password_policy import MAXIMUM_LENGTH, MINIMUM_LENGTH
from regstack.models.oauth_identity import OAuthIdentity  # noqa: TC001 - used by `of` at run time
from regstack.models.text import check_text
from regstack.models.user import User  # noqa: TC001 - used by `of` at run time
from regstack.services.oauth_exchange import SignIn  # noqa: TC001 - used by `of` at run time
from regstack.services.second_factor import MfaChallenge
from regstack.services.sessions import AccessToken  # noqa: TC001 - used by `of` at run time
from regstack.services.texted_codes import SentCode  # noqa: TC001 - used by `of` at run time

_CHECKED = AfterValidator(check_text)
_PASSWORD: JsonDict = {"format": "password"}
Email = Annotated[str, Field(min_length=3, max_length=320, examples=["alice@example.com"]), _CHECKED]
GivenPassword = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAXIMUM_LENGTH,
        examples=["correct horse battery"],
        json_schema_extra=_PASSWORD,
    ),
    _CHECKED,
]
NewPassword = Annotated[
    str,
    Field(
        min_length=MINIMUM_LENGTH,
        max_length=MAXIMUM_LENGTH,
        description="A common one, or one made of the address or the name, is refused.",
        examples=["another horse battery"],
        json_schema_extra=_PASSWORD,
    ),
    _CHECKED,
]
FullName = Annotated[str, Field(max_length=200, examples=["Alice Example"]), _CHECKED]
ExchangeId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        description="`id` in the address that the browser came back to.",
        examples=["the-id-that-the-browser-came-back-with"],
    ),
    _CHECKED,
]
ProviderName = Annotated[str, Field(min_length=1, max_length=64, examples=["google"]), _CHECKED]
MailedToken = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        description="`token` of a mailed link.",
        examples=["the-token-of-the-link-that-was-mailed"],
    ),
    _CHECKED,
]
PendingToken = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        description="The token of the answer that said that a code was sent.",
        examples=["the-token-of-what-is-half-finished"],
    ),
    _CHECKED,
]
Code = Annotated[
    str, Field(min_length=1, max_length=32, description="As it was texted.", examples=["482913"]), _CHECKED
]
PhoneNumber = Annotated[
    str, Field(min_length=1, max_length=40, description="E.164.", examples=["+41446681800"]), _CHECKED
]


def _with_example(schema: dict[str, Any]) -> None:
    """Put an example of the whole body beside those of its fields."""
    example = {}
    for name, field in schema.get("properties", {}).items():
        found = [choice["examples"][0] for choice in (field, *field.get("anyOf", [])) if "examples" in choice]
        if found:
            example[name] = found[0]
    schema["examples"] = [example]


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, json_schema_extra=_with_example
    )


class RegisterBody(Body):
    """A registration."""

    email: Email
    password: NewPassword
    full_name: FullName | None = None


class TokenBody(Body):
    """A token from a mail."""

    token: MailedToken


class VerifyBody(TokenBody):
    """A token from a mail, and the password of the registration."""

    password: GivenPassword | None = None


class ConfirmEmailChangeBody(TokenBody):
    """A token from a mail, and the password of the account."""

    password: GivenPassword | None = None


class EmailBody(Body):
    """An address."""

    email: Email


class LoginBody(Body):
    """Address and password."""

    email: Email
    password: GivenPassword


class MfaConfirmBody(Body):
    """A half-finished sign-in and the code that finishes it."""

    mfa_pending_token: PendingToken
    code: Code


class PhoneStartBody(Body):
    """A phone number (E.164) and the current password."""

    phone_number: PhoneNumber
    current_password: GivenPassword


class PhoneConfirmBody(Body):
    """A phone set-up and the code that finishes it."""

    pending_token: PendingToken
    code: Code


class ProfileBody(Body):
    """What people may change of their own profile."""

    full_name: FullName | None = None


class ChangePasswordBody(Body):
    """The current password and a new one."""

    current_password: GivenPassword
    new_password: NewPassword


class ChangeEmailBody(Body):
    """A new address."""

    new_email: Email
    current_password: GivenPassword


class CurrentPasswordBody(Body):
    """The current password."""

    current_password: GivenPassword


class ResetPasswordBody(Body):
    """A token from a reset mail and a new password."""

    token: MailedToken
    new_password: NewPassword


class LinkStartBody(Body):
    """The current password, for a sign-in that is not recent."""

    current_password: GivenPassword | None = None


class ExchangeBody(Body):
    """The id that a finished sign-in came back with."""

    id: ExchangeId


class AdminUserBody(Body):
    """What administrators may change of an account."""

    is_active: Annotated[bool | None, Field(description="False ends all sessions.", examples=[False])] = None
    is_superuser: Annotated[bool | None, Field(examples=[False])] = None
    full_name: FullName | None = None


class UserAnswer(BaseModel):
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


class PendingAnswer(BaseModel):
    """A registration that waits for its address to be confirmed."""

    status: Literal["pending_verification"] = "pending_verification"
    email: str
    expires_at: datetime


class TokenAnswer(BaseModel):
    """An access token (RFC 6750)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: Annotated[int, Field(description="Seconds.")]

    @classmethod
    def of(cls, token: AccessToken) -> Self:
        """Show a token to whom it was issued."""
        return cls(access_token=token.text, expires_in=token.expires_in)


class DeliveryAnswer(BaseModel):
    """How a code travels."""

    channel: Literal["sms"]
    hint: Annotated[str, Field(description="The end of the phone number.", examples=["…00"])]


class MfaRequiredAnswer(BaseModel):
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


class CodeSentAnswer(BaseModel):
    """A code is on its way, and goes to `/phone/confirm`."""

    status: Literal["code_sent"] = "code_sent"
    pending_token: str
    expires_in: Annotated[int, Field(description="Seconds that the token is good for.")]

    @classmethod
    def of(cls, sent: SentCode) -> Self:
        """Show a phone set-up to whoever began it."""
        return cls(pending_token=sent.token, expires_in=sent.expires_in)


class Done(BaseModel):
    """It is done."""

    status: Literal["ok"] = "ok"


class Accepted(BaseModel):
    """It was taken; what follows, if anything, comes by mail."""

    status: Literal["accepted"] = "accepted"


class LinkedProvider(BaseModel):
    """A provider that opens the account."""

    provider: str
    email: Annotated[str | None, Field(description="As the provider had it at linking; decides nothing.")]
    linked_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, identity: OAuthIdentity) -> Self:
        """Show what of an identity is its owner's to see."""
        return cls.model_validate(identity, from_attributes=True)


class ProvidersAnswer(BaseModel):
    """The external providers."""

    available: Annotated[list[str], Field(examples=[["google"]])]
    labels: Annotated[dict[str, str], Field(description="By name.", examples=[{"google": "Google"}])]
    linked: Annotated[list[LinkedProvider], Field(description="Oldest first; empty if not signed in.")]


class LinkStartAnswer(BaseModel):
    """Where to send the browser."""

    authorization_url: str


class ExchangeAnswer(BaseModel):
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


class StatsAnswer(BaseModel):
    """How many there are of what."""

    total_users: int
    active_users: int
    verified_users: int
    superusers: int
    pending_registrations: int


class PageAnswer(BaseModel):
    """One page of accounts."""

    items: list[UserAnswer]
    total: Annotated[int | None, Field(description="Left out (null) when paging by `after`.")]
    skip: int
    limit: int
    next: Annotated[str | None, Field(description="`after` of the next page; null on the last.")]


class Problem(BaseModel):
    """What went wrong, for people."""

    detail: str


class InputProblem(BaseModel):
    """What is wrong with one part of a request; never what was sent there."""

    loc: Annotated[list[str | int], Field(description="Where it is.", examples=[["body", "password"]])]
    msg: Annotated[str, Field(description="What would be right, for people.")]
    type: Annotated[str, Field(description="A stable name of the kind of mistake.")]


class InputProblems(BaseModel):
    """A request that does not have the form it must have, or holds a value that is refused."""

    detail: list[InputProblem]


_PROBLEMS = {
    400: "A body that is not JSON; a wrong password or code; a token that is unknown, used or expired; "
    "nothing to do",
    401: "Not signed in, or not with this address and password",
    403: "Not allowed",
    404: "Not found",
    409: "Taken, or refused by a rule",
    413: "Body too large",
    415: "Not what a form sends",
    422: "Not of the right form, or a value that is refused",
    429: "Too many attempts; see `Retry-After`",
    503: "Unavailable for the moment; see `Retry-After`",
}

_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "RFC 6750, section 3.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    }
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait (RFC 9110, section 10.2.3).",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
_HEADERS = {401: {"headers": _CHALLENGE}, 429: {"headers": _RETRY_AFTER}, 503: {"headers": _RETRY_AFTER}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe a route's errors for OpenAPI; those that every route may answer are added."""
    return {
        status: {
            "model": InputProblems if status == 422 else Problem,
            "description": _PROBLEMS[status],
        }
        | _HEADERS.get(status, {})
        for status in sorted({*statuses, 413, 503})
    }


def redirect(status: int) -> dict[int | str, dict[str, Any]]:
    """Describe for OpenAPI an answer that only sends the browser on."""
    location = {"description": "Where to.", "schema": {"type": "string", "format": "uri-reference"}}
    return {status: {"description": "Sends the browser on.", "headers": {"Location": location}}}
