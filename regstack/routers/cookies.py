"""Cookies that no script and no neighbour can touch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from regstack.config.schema import RegStackConfig

R = TypeVar("R", bound="Response")

OAUTH_COOKIE = "oauth"
"""Purpose of the cookie by which a browser that comes back from a provider is known again.

It holds one random value, which all runs of the browser share, so that two tabs do not end each
other; every start renews it, and it is left to expire, for the same reason. By itself it opens
nothing: it counts only together with a state or an exchange id, each of which is good once.
"""


def is_served_by_https(config: RegStackConfig) -> bool:
    """Whether browsers reach this application over TLS."""
    return config.behind_proxy or urlsplit(config.base_url).scheme == "https"


class InstanceCookie:
    """A cookie of one instance (RFC 6265bis).

    Over TLS the name begins with `__Host-`, so that no neighbouring subdomain can set it. The
    rest of the name comes from where the pages are, so that two instances on one host do not
    take each other's.

    Args:
        config: the settings.
        purpose: what the cookie is for; none names the one of the session.
    """

    def __init__(self, config: RegStackConfig, purpose: str = "") -> None:
        self.secure = is_served_by_https(config)
        place = re.sub(r"[^A-Za-z0-9]+", "-", urlsplit(config.base_url).path + config.ui_prefix)
        name = f"regstack-{purpose}" if purpose else "regstack"
        self.name = ("__Host-" if self.secure else "") + name + place.rstrip("-")

    def read(self, request: Request) -> str | None:
        """Give what came with a request."""
        return request.cookies.get(self.name) or None

    def put(self, response: R, value: str, seconds: int) -> R:
        """Have the browser keep a value for so many seconds."""
        response.set_cookie(
            self.name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )
        return response

    def drop(self, response: R) -> R:
        """Have the browser forget it."""
        return self.put(response, "", 0)
