"""What every page tells the browser to forbid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")


def page_headers(config: RegStackConfig) -> dict[str, str]:
    """Give the header fields of every page.

    No script runs, no other site frames a page, forms go to this site alone, and style and
    images come from here or from where `theme_css_url` and `brand_logo_url` point (CSP 3).

    Raises:
        ConfigurationError: one of these settings is not a plain URL or path.
    """
    policy = [
        "default-src 'none'",
        _directive("style-src 'self'", source_of("theme_css_url", config.theme_css_url)),
        _directive("img-src 'self' data:", _logo_source(config.brand_logo_url)),
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # No path, which may carry a mailed token, not even to this site's own logs. "no-referrer"
        # would make browsers post forms with `Origin: null`.
        "Referrer-Policy": "strict-origin",
        "Cache-Control": "no-store",
    }


def source_of(setting: str, url: str | None) -> str | None:
    """Give the origin of a URL as a CSP source; None where it lies on this site.

    Raises:
        ConfigurationError: it is neither a path nor a plain http(s) URL, or its host could be
            taken for more than a host in a header field.
    """
    if url is None:
        return None
    advice = (
        f"{setting}: write a path like /brand/theme.css or a whole URL like https://cdn.example.com/theme.css"
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(advice) from None
    if not parts.scheme and not parts.netloc:
        return None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    if parts.scheme not in {"", "http", "https"} or not _HOST.fullmatch(host):
        raise ConfigurationError(advice)
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{host.lower()}" + (f":{port}" if port is not None else "")


def _logo_source(url: str | None) -> str | None:
    return None if url is not None and url.startswith("data:image/") else source_of("brand_logo_url", url)


def _directive(sources: str, further: str | None) -> str:
    return f"{sources} {further}" if further else sources
