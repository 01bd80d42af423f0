"""Keeps the secret part of a database URL out of messages that others wrote."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


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
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text
