"""Request bodies. Unknown fields are refused."""

# Without `from __future__ import annotations`: pydantic would compile the text of each field again.

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from regstack.auth.password_policy import MAXIMUM_LENGTH, MINIMUM_LENGTH
from regstack.models.text import check_text

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
