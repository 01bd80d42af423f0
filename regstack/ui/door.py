"""How a browser gets in and out, whatever page it comes by."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from fastapi.responses import RedirectResponse

from regstack.errors import InvalidToken
from regstack.services.second_factor import MfaChallenge

if TYPE_CHECKING:
    from fastapi import Request, Response

    from regstack.services.sessions import AccessToken, Session, Sessions
    from regstack.ui.site import Site

    R = TypeVar("R", bound=Response)


class Door:
    """Keeps a browser at one session at the most, and at nothing half finished beside it."""

    def __init__(self, site: Site, sessions: Sessions) -> None:
        self._site = site
        self._sessions = sessions

    async def find_session(self, request: Request) -> Session | None:
        """Give the session that a browser has."""
        token = self._site.cookie.read(request)
        try:
            return await self._sessions.recognise(token) if token is not None else None
        except InvalidToken:
            return None

    async def let_in(
        self,
        request: Request,
        outcome: AccessToken | MfaChallenge,
        path: str | None = None,
        *,
        done: str = "",
    ) -> Response:
        """Send a browser on after a factor was right.

        Args:
            request: what is answered.
            outcome: what the sign-in came to; a challenge leads to the next factor.
            path: where to go, if not to the account.
            done: the notice of the account's page.
        """
        site = self._site
        if isinstance(outcome, MfaChallenge):
            challenged = site.go("mfa-confirm", next=path or "")
            return site.sign_in_cookie.put(challenged, outcome.token, outcome.expires_in)
        response = site.cookie.put(RedirectResponse(path, 303) if path else site.go("me", done=done), outcome)
        # A browser holds one session; the one it had must not live on unseen (ASVS 5.0, V7.2.4).
        await self._end_session(request)
        return self._forget_unfinished(request, response)

    async def let_out(self, request: Request) -> Response:
        """End the session that a browser has."""
        await self._end_session(request)
        response = self._site.cookie.drop(self._site.go("login", done="signed-out"))
        return self._forget_unfinished(request, response)

    async def _end_session(self, request: Request) -> None:
        token = self._site.cookie.read(request)
        if token is not None:
            with suppress(InvalidToken):
                await self._sessions.end(token)

    def _forget_unfinished(self, request: Request, response: R) -> R:
        for cookie in (self._site.sign_in_cookie, self._site.phone_cookie):
            if cookie.read(request) is not None:
                cookie.drop(response)
        return response
