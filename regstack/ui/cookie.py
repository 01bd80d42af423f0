"""The cookie by which pages, and pages alone, know who is signed in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from regstack.ui.origin import is_served_by_https

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from regstack.config.schema import RegStackConfig
    from regstack.services.sessions import AccessToken

R = TypeVar("R", bound="Response")


class SessionCookie:
    """Keeps the access token where no script can read it (RFC 6265bis).

    Over TLS the name begins with `__Host-`, so that no neighbouring subdomain can set it. The
    rest of the name comes from where the pages are, so that two instances on one host do not
    sign each other's people out. Routes of the JSON interface do not read cookies at all.
    """

    def __init__(self, config: RegStackConfig) -> None:
        self.secure = is_served_by_https(config)
        place = re.sub(r"[^A-Za-z0-9]+", "-", urlsplit(config.base_url).path + config.ui_prefix)
        self.name = ("__Host-" if self.secure else "") + f"regstack{place.rstrip('-')}"

    def read(self, request: Request) -> str | None:
        """Give the token that came with a request."""
        return request.cookies.get(self.name) or None

    def put(self, response: R, token: AccessToken) -> R:
        """Hand a token to the browser, for as long as it is good."""
        self._set(response, token.text, token.expires_in)
        return response

    def drop(self, response: R) -> R:
        """Make the browser forget its token."""
        self._set(response, "", 0)
        return response

    def _set(self, response: Response, value: str, max_age: int) -> None:
        response.set_cookie(
            self.name, value, max_age=max_age, path="/", secure=self.secure, httponly=True, samesite="lax"
        )
