"""The cookie by which pages, and pages alone, know who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from regstack.routers.cookies import InstanceCookie

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from regstack.config.schema import RegStackConfig
    from regstack.services.sessions import AccessToken

R = TypeVar("R", bound="Response")


class SessionCookie:
    """Keeps the access token where no script can read it.

    Routes of the JSON interface do not take a token from a cookie at all.
    """

    def __init__(self, config: RegStackConfig) -> None:
        self._cookie = InstanceCookie(config)
        self.name = self._cookie.name
        self.secure = self._cookie.secure

    def read(self, request: Request) -> str | None:
        """Give the token that came with a request."""
        return self._cookie.read(request)

    def put(self, response: R, token: AccessToken) -> R:
        """Hand a token to the browser, for as long as it is good."""
        return self._cookie.put(response, token.text, token.expires_in)

    def drop(self, response: R) -> R:
        """Make the browser forget its token."""
        return self._cookie.drop(response)
