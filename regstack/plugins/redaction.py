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
    """Say whether the message of an error quotes the URL or its password, anywhere."""
    message = "".join(traceback.format_exception_only(error))
    return without_secrets(message, url) != message


def without_secrets(text: str, url: str) -> str:
    """Blot out the URL and its password wherever the text quotes them.

    Args:
        text: a message of a driver or plugin.
        url: the database URL that it may have seen.
    """
    secrets = {url}
    try:
        password = urlsplit(url).password
    except ValueError:  # not even a URL that can be taken apart
        password = None
    if password:
        secrets |= {password, unquote(password)}
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text
