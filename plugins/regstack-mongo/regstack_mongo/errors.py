"""What the driver's errors mean.

The server quotes what it was sent: a duplicate key with its value, a refused command with all its
parameters. So nothing of its text is repeated, and the `__cause__` is a copy of the driver's error
that has kept class, code and traceback, and lost text and details.
"""

from __future__ import annotations

from typing import Any

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    DuplicateKeyError,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)
from pymongo.errors import (
    ConfigurationError as DriverConfigurationError,
)

from regstack.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    ConfigurationError,
    Conflict,
    InvalidText,
    RegStackError,
)

_AUTHENTICATION_FAILED = 18
_UNAUTHORIZED = 13
_MAX_TIME_EXPIRED = 50
_NEVER_EXECUTED = frozenset({10107, 13435, 10058})
"""NotWritablePrimary and its kin: refused before anything was done."""
_BROKEN_OFF = frozenset({6, 7, 89, 91, 189, 262, 9001, 11600, 11602, 13436, 24, 46, 112, 202, 11601})
"""Shutdown, step-down, lost hosts, locks and interruptions: perhaps after the write was made."""


class UniqueViolation(Conflict):
    """A unique index refused the write; repositories turn it into the conflict's own error.

    Attributes:
        fields: names of the index's fields, `_id` for the document's own key.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.fields = fields
        super().__init__("a value that must be unique is taken")


def redacted(error: BaseException) -> BaseException:
    """Give the driver's error without what it quotes of documents and commands."""
    if isinstance(error, OperationFailure):
        name = (error.details or {}).get("codeName") or type(error).__name__
        copy: BaseException = type(error)(
            f"{name} ({error.code})", error.code, {"code": error.code, "codeName": name}
        )
    elif isinstance(error, NotPrimaryError):
        copy = type(error)(f"not primary ({_code(error)})")
    elif isinstance(error, (BSONError, UnicodeError, OverflowError, DriverConfigurationError)):
        copy = PyMongoError(f"{type(error).__name__}: the driver could not encode or accept a value")
    else:
        return error
    return copy.with_traceback(error.__traceback__)


def meaning_of(error: Exception, *, writes: bool, timeout: float) -> RegStackError | None:
    """Give the error of `regstack.errors` for one of the driver's; None for one of another kind.

    Args:
        error: what was raised.
        writes: the operation may have changed something.
        timeout: its deadline in seconds, for the message.
    """
    if isinstance(error, DuplicateKeyError):
        return UniqueViolation(tuple((error.details or {}).get("keyPattern") or ()))
    if isinstance(error, (UnicodeEncodeError, BSONError)):
        return InvalidText() if isinstance(error, UnicodeEncodeError) else _unfit()
    if isinstance(error, OverflowError):
        return _unfit()
    if isinstance(error, TimeoutError):
        return _late(writes, timeout)
    if isinstance(error, DriverConfigurationError):
        return ConfigurationError(
            "the MongoDB driver refuses an option of database_url, or the host name has no SRV record; "
            "compare the URL with the driver's connection string options"
        )
    if isinstance(error, PyMongoError):
        return _by_kind(error, writes, timeout)
    return None


def _by_kind(error: PyMongoError, writes: bool, timeout: float) -> RegStackError:
    if isinstance(error, ServerSelectionTimeoutError):
        return BackendUnavailable(
            "no MongoDB server that takes writes can be reached; is it running, and does database_url "
            "name it? A replica set needs a primary"
        )
    if isinstance(error, WaitQueueTimeoutError):
        return BackendTimeout(
            f"all connections stayed busy for {timeout:g} s; raise db_pool_size, or look for slow requests"
        )
    if isinstance(error, WriteConcernError):
        return BackendUnavailable(
            "the write was not confirmed by a majority of the replica set in time; are its members up?",
            outcome_unknown=True,
        )
    code = _code(error)
    if code == _MAX_TIME_EXPIRED or (error.timeout and not isinstance(error, OperationFailure)):
        return _late(writes, timeout)
    if code in _NEVER_EXECUTED:
        return BackendUnavailable("the MongoDB server is not the primary any more; try again in a moment")
    if isinstance(error, (AutoReconnect, ConnectionFailure)) or code in _BROKEN_OFF:
        return BackendUnavailable("the connection to MongoDB broke off", outcome_unknown=writes)
    if isinstance(error, InvalidOperation):
        return BackendUnavailable(
            "the MongoDB client is closed, or belongs to another event loop; use one of this loop"
        )
    if code == _AUTHENTICATION_FAILED:
        return BackendUnavailable(
            "MongoDB refuses the credentials; check user, password and authSource in database_url"
        )
    if code == _UNAUTHORIZED:
        return BackendError("the MongoDB user lacks a right; it needs the role readWrite on the database")
    name = (getattr(error, "details", None) or {}).get("codeName", code)
    return BackendError(f"MongoDB refused the operation ({name})")


def _late(writes: bool, timeout: float) -> BackendError:
    text = f"MongoDB did not answer for {timeout:g} s (db_timeout_seconds)"
    return BackendTimeout(text, outcome_unknown=writes)


def _unfit() -> BackendError:
    return BackendError("a value is too large or of a kind that MongoDB cannot store")


def _code(error: Any) -> int | None:
    code = getattr(error, "code", None)
    details = getattr(error, "details", None)
    if code is None and isinstance(details, dict):
        code = details.get("code")
    return code if isinstance(code, int) else None
