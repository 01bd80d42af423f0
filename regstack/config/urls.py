"""Which URLs secrets may be sent to."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Say whether the URL leads to this machine itself, over plain HTTP."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http":
        return False
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_secure_url(url: str) -> str:
    """Give the URL back unchanged.

    Raises:
        ValueError: it is not https (plain http leads to this machine alone), or it holds a user
            name, a query, a fragment or white space.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("write a URL in ASCII, without spaces")
    parts = urlsplit(url)
    if not parts.hostname or not (parts.scheme == "https" or is_loopback(url)):
        raise ValueError("write an https:// URL; http:// leads to this machine alone")
    if parts.username is not None or parts.password is not None or "?" in url or "#" in url:
        raise ValueError("must not hold a user name, a query or a fragment")
    _ = parts.port  # raises for one that is no number
    return url
