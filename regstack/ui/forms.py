"""The forms of the pages: reading what a browser posts, and checking it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import BeforeValidator

from regstack.errors import (
    EmailNotVerified,
    InvalidEmail,
    InvalidPhoneNumber,
    PasswordRejected,
    RegStackError,
    UserAlreadyExistsError,
    WrongCode,
    WrongPassword,
)
from regstack.routers.bodies import (
    Body,
    ChangeEmailBody,
    ChangePasswordBody,
    Code,
    ConfirmEmailChangeBody,
    CurrentPasswordBody,
    EmailBody,
    FullName,
    GivenPassword,
    LoginBody,
    PhoneStartBody,
    ProfileBody,
    ProviderName,
    RegisterBody,
    ResetPasswordBody,
    VerifyBody,
)
from regstack.ui.messages import explain_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError

B = TypeVar("B", bound=Body)

SHOWN_AGAIN = frozenset({"email", "new_email", "full_name", "phone_number"})
"""Fields whose entries a page repeats after an error; of all others nothing comes back."""

_FIELDS_AT_FAULT: dict[type[RegStackError], tuple[str, ...]] = {
    InvalidEmail: ("email", "new_email"),
    UserAlreadyExistsError: ("email",),
    PasswordRejected: ("password", "new_password"),
    WrongPassword: ("current_password", "password"),
    WrongCode: ("code",),
    InvalidPhoneNumber: ("phone_number",),
}

ERROR_WORDS: dict[type[RegStackError], str] = {
    EmailNotVerified: "unverified",
    UserAlreadyExistsError: "taken",
}
"""What templates call an error that they offer a way out of."""

GivenName = Annotated[
    FullName | None,
    BeforeValidator(lambda entry: entry.strip() or None if isinstance(entry, str) else entry),
]

GivenCode = Annotated[
    Code, BeforeValidator(lambda entry: "".join(entry.split()) if isinstance(entry, str) else entry)
]
"""A code as people type it, blanks in the middle included."""


class RegisterForm(RegisterBody):
    """A registration; an empty name is none."""

    full_name: GivenName = None


class VerifyForm(VerifyBody):
    """A mailed token, and the password by which whoever registered is known."""

    password: GivenPassword


class ConfirmEmailChangeForm(ConfirmEmailChangeBody):
    """A mailed token, and the password by which the account's owner is known."""

    password: GivenPassword


class ProfileForm(ProfileBody):
    """The name; an empty one is none."""

    full_name: GivenName = None


class LoginForm(LoginBody):
    """A sign-in, and where to go after it."""

    next: str


class MfaConfirmForm(Body):
    """The code that finishes a sign-in, and where to go after it."""

    code: GivenCode
    next: str


class PhoneConfirmForm(Body):
    """The code that confirms a phone."""

    code: GivenCode


class ProviderForm(Body):
    """An external provider."""

    provider: ProviderName


class DeleteForm(CurrentPasswordBody):
    """The end of an account, twice confirmed."""

    confirm: Literal["yes"]


@dataclass(frozen=True, slots=True)
class Form(Generic[B]):
    """One form.

    Attributes:
        name: what templates call it by; unique.
        page: the page that it stands on, and that shows its errors.
        body: what its entries must be.
    """

    name: str
    page: str
    body: type[B]

    def validate(self, entries: Mapping[str, str]) -> B:
        """Check the entries; a field that was not sent counts as empty, unknown ones are ignored.

        Raises:
            ValidationError: see `problems_in`.
        """
        return self.body.model_validate({name: entries.get(name, "") for name in self.body.model_fields})

    def field_at_fault(self, error: RegStackError) -> str | None:
        """Name the field of this form that an error is about, if it is about one."""
        names = _FIELDS_AT_FAULT.get(type(error), ())
        return next((name for name in names if name in self.body.model_fields), None)


@dataclass(frozen=True, slots=True)
class FormState:
    """How a form looks: empty, or with what went wrong.

    Attributes:
        name: the form's name.
        values: entries to show again.
        problems: what is wrong, by field.
        alert: what is wrong with the whole.
        error: its word of `ERROR_WORDS`, where a page offers a way out of it.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    alert: str | None = None
    error: str | None = None

    @classmethod
    def refused(
        cls,
        form: Form[B],
        entries: Mapping[str, str],
        *,
        problems: Mapping[str, str],
        alert: str | None = None,
        error: str | None = None,
    ) -> FormState:
        """Make the state of a form whose entries were not taken."""
        alert = alert or f"Look at the marked {'field' if len(problems) == 1 else 'fields'}."
        values = {name: entries[name] for name in SHOWN_AGAIN & entries.keys()}
        return cls(form.name, values, problems, alert, error)


REGISTER = Form("register", "register", RegisterForm)
VERIFY = Form("verify", "verify", VerifyForm)
RESEND = Form("resend", "verify", EmailBody)
LOGIN = Form("login", "login", LoginForm)
MFA_CONFIRM = Form("mfa-confirm", "mfa-confirm", MfaConfirmForm)
FORGOT = Form("forgot", "forgot", EmailBody)
RESET = Form("reset", "reset", ResetPasswordBody)
CONFIRM_EMAIL_CHANGE = Form("confirm-email-change", "confirm-email-change", ConfirmEmailChangeForm)
NAME = Form("name", "me", ProfileForm)
PASSWORD = Form("password", "me", ChangePasswordBody)
EMAIL = Form("email", "me", ChangeEmailBody)
CONNECT = Form("connect", "me", ProviderForm)
DISCONNECT = Form("disconnect", "me", ProviderForm)
PHONE = Form("phone", "me", PhoneStartBody)
PHONE_CONFIRM = Form("phone-confirm", "me", PhoneConfirmForm)
PHONE_REMOVE = Form("phone-remove", "me", CurrentPasswordBody)
DELETE = Form("delete", "me", DeleteForm)

FORMS: tuple[Form[Any], ...] = (
    *(REGISTER, VERIFY, RESEND, LOGIN, MFA_CONFIRM, FORGOT, RESET, CONFIRM_EMAIL_CHANGE),
    *(NAME, PASSWORD, EMAIL, CONNECT, DISCONNECT, PHONE, PHONE_CONFIRM, PHONE_REMOVE, DELETE),
)


def problems_in(error: ValidationError) -> dict[str, str]:
    """Say by field what is wrong with the entries."""
    problems: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        problems.setdefault(str(problem["loc"][0]), explain_field(problem))
    return problems
