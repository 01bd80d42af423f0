"""Whether a form was sent by a page of this site."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from regstack.routers.cookies import is_served_by_https

if TYPE_CHECKING:
    from starlette.requests import Request

    from regstack.config.schema import RegStackConfig

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port (RFC 6454)."""

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """Read the origin of an http or https URL; None for all else, `null` included."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return Origin(parts.scheme, parts.hostname, _DEFAULT_PORTS[parts.scheme] if port is None else port)


class OwnOrigin:
    """Refuses what another site makes a browser send (OWASP ASVS 5.0, V3.5.1).

    A browser says itself where a request comes from: in `Sec-Fetch-Site` over TLS and on
    localhost, otherwise in `Origin`; no page can forge either. Nothing but "same-origin" counts:
    "same-site" is a neighbour on another subdomain, "none" is an address typed in or a bookmark,
    which never posts a form. A request that says nothing is refused, so there is no token to keep
    and none to leak, and the sign-in form is covered like all others (login CSRF).
    """

    def __init__(self, config: RegStackConfig) -> None:
        # A proxy that ends TLS hides the scheme, and maybe the host, that the browser used: then
        # what the request says of itself is not asked.
        self._public = parse_origin(config.base_url) if is_served_by_https(config) else None

    def has_sent(self, request: Request) -> bool:
        """Whether a page of this very origin sent the request."""
        sites = request.headers.getlist("sec-fetch-site")
        if sites:
            return sites == ["same-origin"]
        origins = request.headers.getlist("origin")
        hosts = request.headers.getlist("host")
        if len(origins) != 1 or len(hosts) != 1:
            return False
        origin = parse_origin(origins[0])
        own = self._public or parse_origin(f"{request.scope['scheme']}://{hosts[0]}")
        return origin is not None and origin == own
