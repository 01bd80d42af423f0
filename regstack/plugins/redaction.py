"""What others wrote, made fit to show: in one line, without the secret part of a database URL."""

from __future__ import annotations

import traceback
from urllib.parse import unquote, urlsplit

from regstack.models.line import one_line


def last_line(error: BaseException, url: str = "") -> str:
    """Give what a traceback of this error ends with, in one line.

    Args:
        error: what a driver or plugin raised.
        url: the database URL that its message may quote.
    """
    # Before the line is cut: a password that the cut goes through would not be found any more.
    return one_line(without_secrets(traceback.format_exception_only(error)[-1], url))


def quotes_secrets(error: BaseException, url: str) -> bool:
    """Say whether an error, or one that led to it, quotes the URL or its password anywhere."""
    message = "".join(traceback.format_exception(error))
    return without_secrets(message, url) != message


def without_secrets(text: str, url: str) -> str:
    """Blot out the URL and its password wherever the text quotes them.

    Args:
        text: a message of a driver or plugin.
        url: the database URL that it may have seen.
    """
    # Drivers do not agree where a URL's user ends, so the password may hold `/`, `?`, `#` and `@`.
    userinfo = url.partition("://")[2].rpartition("@")[0]
    secrets = {url}
    for password in {userinfo.partition(":")[2], _password(url)}:
        secrets |= {password, unquote(password)}
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:  # not even a URL that can be taken apart
        return ""
