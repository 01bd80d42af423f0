"""Every exception that regstack raises on purpose.

::

    RegStackError
    ├── ConfigurationError            settings that cannot work; says which and what to write
    │   └── UnsupportedCapability     the backend does not offer what was asked of it
    ├── PluginError
    │   ├── BackendNotInstalled       no plugin takes the database URL
    │   ├── BackendPluginUnusable     the plugin that takes it is broken, blocked, …
    │   ├── TransportNotInstalled     no plugin has the transport's name
    │   └── TransportPluginUnusable   the plugin that has it is broken, blocked, …
    ├── BackendError                  storage failed; `__cause__` is the driver's error
    │   ├── BackendUnavailable        cannot be reached, or broke off in the middle
    │   ├── BackendTimeout            did not answer, or stayed locked, within the deadline
    │   └── Conflict                  a rule of the contract refused the change
    │       ├── UserAlreadyExistsError
    │       ├── UserNotFoundError
    │       ├── OAuthIdentityAlreadyLinkedError
    │       └── LastSuperuserError
    ├── InvalidInput                  also a ValueError
    │   ├── InvalidText
    │   ├── InvalidEmail
    │   ├── InvalidPhoneNumber
    │   ├── NaiveDatetime
    │   └── PasswordRejected
    ├── AuthenticationError           who is asking is not established
    │   ├── InvalidCredentials
    │   ├── InvalidToken
    │   ├── WrongPassword
    │   ├── NoPasswordSet
    │   ├── AccountDisabled
    │   ├── EmailNotVerified
    │   ├── SignInTooOld
    │   ├── SecondFactorUnavailable
    │   ├── WrongCode
    │   ├── ChallengeOver             a texted code, or what it belongs to, cannot be used any more
    │   └── NotSuperuser
    ├── InvalidOneTimeToken           a mailed token that is unknown, used or expired
    │   └── UnknownExchange           an exchange id that is
    ├── AlreadyVerified
    ├── RegistrationClosed
    ├── OAuthError                    a sign-in at an external provider failed; carries `reason`
    │   ├── OAuthDenied               the person, or the provider, said no
    │   ├── OAuthUnavailable          the provider cannot be reached, or is slow
    │   └── OAuthRejected             the provider's answer is not to be trusted
    ├── TooManyAttempts               carries `retry_after`
    ├── Overloaded                    carries `retry_after`
    ├── DeliveryError                 a message was not accepted by its transport
    ├── UnknownProvider               no external provider of this name is configured
    ├── NotLinked                     the account is not linked with the provider
    └── LastSignInMethod              the change would close the account to its owner

No message holds a password, a token, or the secret part of a URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import timedelta


class RegStackError(Exception):
    """Base of all errors that regstack raises on purpose.

    Args:
        message: what `str` gives; without it, what the class says.

    Attributes:
        message: what an error of this class says where nothing more particular is known.
    """

    message: ClassVar[str] = ""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(self.message if message is None else message)


class ConfigurationError(RegStackError):
    """The settings contradict each other or lack something; the message names the setting."""


class UnsupportedCapability(ConfigurationError):
    """The backend does not declare the capability that this operation or setting needs.

    Attributes:
        backend: the backend's `kind`.
        capability: what it lacks, a member of `regstack.backends.base.Capability`.
    """

    def __init__(self, backend: str, capability: str) -> None:
        self.backend = backend
        self.capability = capability
        super().__init__(
            f"the backend {backend!r} does not offer {capability!r}; "
            "switch the feature that needs it off, or use a backend that declares it "
            "(see `regstack doctor --list-backends`)"
        )


class PluginError(RegStackError):
    """A plugin cannot be used."""


class BackendNotInstalled(PluginError):
    """No installed plugin takes the scheme of the database URL."""


class BackendPluginUnusable(PluginError):
    """The plugin that takes the database URL is broken, incompatible, duplicate or blocked."""


class TransportNotInstalled(PluginError):
    """No installed plugin has the name that `email.backend` or `sms.backend` asks for."""


class TransportPluginUnusable(PluginError):
    """The plugin that has the transport's name is broken, incompatible, duplicate or blocked."""


class BackendError(RegStackError):
    """Storage failed. The driver's own error is the `__cause__`."""


class BackendUnavailable(BackendError):
    """The database cannot be reached, or the connection broke during the operation.

    Attributes:
        outcome_unknown: True where a write may have been committed before the break.
    """

    message = "the database is unavailable"

    def __init__(self, message: str | None = None, *, outcome_unknown: bool = False) -> None:
        self.outcome_unknown = outcome_unknown
        super().__init__(message)


class BackendTimeout(BackendError):
    """The database did not answer, or stayed locked, within the configured deadline.

    Attributes:
        outcome_unknown: True where a write was on its way and may still be committed.
    """

    message = "the database did not answer in time"

    def __init__(self, message: str | None = None, *, outcome_unknown: bool = False) -> None:
        self.outcome_unknown = outcome_unknown
        super().__init__(message)


class Conflict(BackendError):
    """A uniqueness or safety rule of the storage contract refused the change."""


class UserAlreadyExistsError(Conflict):
    """Another account has this email key."""

    message = "an account with this email address already exists"


class UserNotFoundError(Conflict):
    """The operation refers to a user that does not exist."""

    message = "there is no such user"


class OAuthIdentityAlreadyLinkedError(Conflict):
    """The external identity, or the user's place for this provider, is taken."""

    message = "this external identity is already linked"


class LastSuperuserError(Conflict):
    """The change would leave no active superuser."""

    message = "this is the last active superuser; appoint another one first"


class InvalidInput(RegStackError, ValueError):
    """A value from outside that cannot be accepted; the message says what would be."""


class InvalidText(InvalidInput):
    """Text with NUL or a lone surrogate, which no database stores alike."""

    message = "text must not contain NUL characters or lone surrogates"


class InvalidEmail(InvalidInput):
    """Not an email address that mail can be sent to (RFC 5321, RFC 6531)."""


class InvalidPhoneNumber(InvalidInput):
    """Not a phone number that a text can be sent to (ITU-T E.164)."""

    message = "write the whole phone number with its country code, for example +41 44 668 18 00"


class NaiveDatetime(InvalidInput):
    """A datetime without a time zone."""

    message = "datetimes must carry a time zone"


class PasswordRejected(InvalidInput):
    """The password breaks the policy (NIST SP 800-63B-4, section 3.1.1.2)."""


class AuthenticationError(RegStackError):
    """Who is asking is not established, or is not allowed in."""


class InvalidCredentials(AuthenticationError):
    """Wrong address or wrong password; which of them is not said."""

    message = "incorrect email address or password"


class InvalidToken(AuthenticationError):
    """The access token is not valid. The reason is deliberately not said (RFC 6750, section 3.1)."""

    message = "could not validate credentials"


class WrongPassword(AuthenticationError):
    """The current password, asked for again before a sensitive change, is wrong."""

    message = "the current password is incorrect"


class NoPasswordSet(AuthenticationError):
    """The account has no password yet (social sign-up)."""

    message = "set a password first, with the mail of the password reset"


class AccountDisabled(AuthenticationError):
    """The account was disabled by an administrator."""

    message = "this account is disabled"


class EmailNotVerified(AuthenticationError):
    """The email address has not been confirmed yet."""

    message = "confirm your email address first"


class SignInTooOld(AuthenticationError):
    """The session is too old for this; its owner has to show again who is there (ASVS 5.0, V7.5.1)."""

    message = "sign in again before you connect an account, or send your current password along"


class SecondFactorUnavailable(AuthenticationError):
    """The account asks for a second factor that this application does not offer now."""

    message = "this account asks for a code by text message, which is switched off here"


class WrongCode(AuthenticationError):
    """Not the code that was texted; it may be tried again."""

    message = "this is not the code that was sent"


class ChallengeOver(AuthenticationError):
    """A half-finished sign-in or phone set-up that cannot be finished.

    It is unknown, used, expired or replaced by a newer one, its code was guessed at too often, or
    the account changed in the meantime; which of these is not said.
    """

    message = "this code cannot be used any more; start again"


class NotSuperuser(AuthenticationError):
    """The account is not an administrator's."""

    message = "administrators only"


class InvalidOneTimeToken(RegStackError):
    """A mailed token that is unknown, used, replaced or expired."""

    message = "this link is invalid or has expired; ask for a new one"


class UnknownExchange(InvalidOneTimeToken):
    """An exchange id that is unknown, used or expired, or belongs to another browser."""

    message = "this sign-in is unknown, used or expired; begin again"


class AlreadyVerified(RegStackError):
    """The account's address is confirmed already."""

    message = "this account is already verified"


class RegistrationClosed(RegStackError):
    """Registration is switched off (`allow_registration`)."""

    message = "registration is closed"


class OAuthError(RegStackError):
    """A sign-in at an external provider failed.

    `str` gives the sentence that people may see, alike for every cause.

    Attributes:
        reason: what a log says; one line, without a secret, a code or a token.
    """

    message = "the sign-in failed; try again"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class OAuthDenied(OAuthError):
    """The person gave up at the provider, or the provider does not let them in."""

    message = "the sign-in was cancelled or denied"


class OAuthUnavailable(OAuthError):
    """The provider cannot be reached, answers too late, or reports a fault of its own."""

    message = "the sign-in service does not answer; try again later"


class OAuthRejected(OAuthError):
    """What the provider, or somebody in its place, answered is not to be trusted."""


class TooManyAttempts(RegStackError):
    """A limit is reached.

    Attributes:
        retry_after: how long until the window ends.
    """

    message = "too many attempts; try again later"

    def __init__(self, retry_after: timedelta, message: str | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Overloaded(RegStackError):
    """More work waits than may wait; nothing was started.

    Attributes:
        retry_after: when it is worth trying again.
    """

    message = "too busy; try again in a moment"

    def __init__(self, retry_after: timedelta, message: str | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class DeliveryError(RegStackError):
    """A message was not accepted by its transport.

    Attributes:
        permanent: True where a repeat cannot help (a 5xx reply, a refused recipient).
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(message)


class UnknownProvider(RegStackError):
    """No provider of this name is configured."""

    message = "there is no such provider"


class NotLinked(RegStackError):
    """The account is not linked with this provider."""

    message = "this account is not linked with this provider"


class LastSignInMethod(RegStackError):
    """Without this link the account could not be entered any more."""

    message = "this is the only way into the account; set a password, or link another provider, first"
