"""Every exception that regstack raises on purpose.

::

    RegStackError
    ├── ConfigurationError            settings that cannot work; says which and what to write
    │   └── UnsupportedCapability     the backend does not offer what was asked of it
    ├── PluginError
    │   ├── BackendNotInstalled       no plugin takes the database URL
    │   └── BackendPluginUnusable     the plugin that takes it is broken, blocked, …
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
    │   ├── NaiveDatetime
    │   └── PasswordRejected
    ├── AuthenticationError           who is asking is not established
    │   ├── InvalidCredentials
    │   ├── InvalidToken
    │   ├── WrongPassword
    │   ├── NoPasswordSet
    │   ├── AccountDisabled
    │   ├── EmailNotVerified
    │   └── NotSuperuser
    ├── InvalidOneTimeToken           a mailed token that is unknown, used or expired
    ├── AlreadyVerified
    ├── RegistrationClosed
    ├── TooManyAttempts               carries `retry_after`
    ├── Overloaded                    carries `retry_after`
    └── DeliveryError                 a message was not accepted by its transport

No message holds a password, a token, or the secret part of a URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


class RegStackError(Exception):
    """Base of all errors that regstack raises on purpose."""


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


class BackendError(RegStackError):
    """Storage failed. The driver's own error is the `__cause__`."""


class BackendUnavailable(BackendError):
    """The database cannot be reached, or the connection broke during the operation.

    Attributes:
        outcome_unknown: True where a write may have been committed before the break.
    """

    def __init__(
        self, message: str = "the database is unavailable", *, outcome_unknown: bool = False
    ) -> None:
        self.outcome_unknown = outcome_unknown
        super().__init__(message)


class BackendTimeout(BackendError):
    """The database did not answer, or stayed locked, within the configured deadline."""


class Conflict(BackendError):
    """A uniqueness or safety rule of the storage contract refused the change."""


class UserAlreadyExistsError(Conflict):
    """Another account has this email key."""

    def __init__(self, message: str = "an account with this email address already exists") -> None:
        super().__init__(message)


class UserNotFoundError(Conflict):
    """The operation refers to a user that does not exist."""

    def __init__(self, message: str = "there is no such user") -> None:
        super().__init__(message)


class OAuthIdentityAlreadyLinkedError(Conflict):
    """The external identity, or the user's place for this provider, is taken."""

    def __init__(self, message: str = "this external identity is already linked") -> None:
        super().__init__(message)


class LastSuperuserError(Conflict):
    """The change would leave no active superuser."""

    def __init__(self, message: str = "this is the last active superuser; appoint another one first") -> None:
        super().__init__(message)


class InvalidInput(RegStackError, ValueError):
    """A value from outside that cannot be accepted; the message says what would be."""


class InvalidText(InvalidInput):
    """Text with NUL or a lone surrogate, which no database stores alike."""

    def __init__(self, message: str = "text must not contain NUL characters or lone surrogates") -> None:
        super().__init__(message)


class InvalidEmail(InvalidInput):
    """Not an email address that mail can be sent to (RFC 5321, RFC 6531)."""


class NaiveDatetime(InvalidInput):
    """A datetime without a time zone."""

    def __init__(self, message: str = "datetimes must carry a time zone") -> None:
        super().__init__(message)


class PasswordRejected(InvalidInput):
    """The password breaks the policy (NIST SP 800-63B-4, section 3.1.1.2)."""


class AuthenticationError(RegStackError):
    """Who is asking is not established, or is not allowed in."""


class InvalidCredentials(AuthenticationError):
    """Wrong address or wrong password; which of them is not said."""

    def __init__(self, message: str = "incorrect email address or password") -> None:
        super().__init__(message)


class InvalidToken(AuthenticationError):
    """The access token is not valid. The reason is deliberately not said (RFC 6750, section 3.1)."""

    def __init__(self, message: str = "could not validate credentials") -> None:
        super().__init__(message)


class WrongPassword(AuthenticationError):
    """The current password, asked for again before a sensitive change, is wrong."""

    def __init__(self, message: str = "the current password is incorrect") -> None:
        super().__init__(message)


class NoPasswordSet(AuthenticationError):
    """The account has no password yet (social sign-up)."""

    def __init__(self, message: str = "set a password first, with the mail of the password reset") -> None:
        super().__init__(message)


class AccountDisabled(AuthenticationError):
    """The account was disabled by an administrator."""

    def __init__(self, message: str = "this account is disabled") -> None:
        super().__init__(message)


class EmailNotVerified(AuthenticationError):
    """The email address has not been confirmed yet."""

    def __init__(self, message: str = "confirm your email address first") -> None:
        super().__init__(message)


class NotSuperuser(AuthenticationError):
    """The account is not an administrator's."""

    def __init__(self, message: str = "administrators only") -> None:
        super().__init__(message)


class InvalidOneTimeToken(RegStackError):
    """A mailed token that is unknown, used, replaced or expired."""

    def __init__(self, message: str = "this link is invalid or has expired; ask for a new one") -> None:
        super().__init__(message)


class AlreadyVerified(RegStackError):
    """The account's address is confirmed already."""

    def __init__(self, message: str = "this account is already verified") -> None:
        super().__init__(message)


class RegistrationClosed(RegStackError):
    """Registration is switched off (`allow_registration`)."""

    def __init__(self, message: str = "registration is closed") -> None:
        super().__init__(message)


class TooManyAttempts(RegStackError):
    """A limit is reached.

    Attributes:
        retry_after: how long until the window ends.
    """

    def __init__(self, retry_after: timedelta, message: str = "too many attempts; try again later") -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Overloaded(RegStackError):
    """More work waits than may wait; nothing was started.

    Attributes:
        retry_after: when it is worth trying again.
    """

    def __init__(self, retry_after: timedelta, message: str = "too busy; try again in a moment") -> None:
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
