"""Errors as HTTP answers: the one table."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException

from regstack import errors
from regstack.models.line import one_line

if TYPE_CHECKING:
    from datetime import timedelta

logger = logging.getLogger("regstack.http")

STATUS: dict[type[errors.RegStackError], int] = {
    errors.InvalidInput: 422,
    errors.InvalidCredentials: 401,
    errors.InvalidToken: 401,
    errors.WrongPassword: 400,
    errors.NoPasswordSet: 400,
    errors.AccountDisabled: 403,
    errors.SignInTooOld: 403,
    errors.EmailNotVerified: 403,
    errors.SecondFactorUnavailable: 403,
    errors.WrongCode: 400,
    errors.ChallengeOver: 400,
    errors.NotSuperuser: 403,
    errors.InvalidOneTimeToken: 400,
    errors.UnknownExchange: 404,
    errors.AlreadyVerified: 400,
    errors.RegistrationClosed: 403,
    errors.TooManyAttempts: 429,
    errors.Overloaded: 503,
    errors.UserNotFoundError: 404,
    errors.Conflict: 409,
    errors.BackendError: 503,
    errors.OAuthError: 400,
    errors.OAuthUnavailable: 503,
    errors.UnknownProvider: 404,
    errors.NotLinked: 404,
    errors.LastSignInMethod: 400,
}
"""Status of an error; one that is not named has that of its nearest base."""

RETRY_AFTER_SECONDS = 2
"""What a caller is told to wait while the database is away."""


def to_http(error: errors.RegStackError) -> HTTPException:
    """Give the HTTP form of an error; one that no client can cause is raised as it is.

    `Retry-After` is in seconds (RFC 9110, section 10.2.3), `WWW-Authenticate` as RFC 6750,
    section 3 has it.
    """
    status = next((STATUS[base] for base in type(error).__mro__ if base in STATUS), None)
    if status is None:
        raise error
    detail: Any = str(error)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    elif status == 422:
        detail = [{"loc": ["body"], "msg": str(error), "type": "value_error"}]
    elif isinstance(error, errors.TooManyAttempts | errors.Overloaded):
        headers["Retry-After"] = str(_whole_seconds(error.retry_after))
    elif status == 503:
        if isinstance(error, errors.BackendError):
            logger.warning("storage failed: %s: %s", type(error).__name__, one_line(error))
            detail = "the service is unavailable for the moment; try again"
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return HTTPException(status, detail, headers or None)


def _whole_seconds(duration: timedelta) -> int:
    return max(1, math.ceil(duration.total_seconds()))
