"""Pages for signing in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse

from regstack.auth.redirects import local_path
from regstack.errors import AuthenticationError, InvalidToken, UnknownExchange
from regstack.routers.entries import read_entries
from regstack.services.oauth_flow import word_for
from regstack.ui.forms import LOGIN

if TYPE_CHECKING:
    from fastapi import APIRouter

    from regstack.services.services import Services
    from regstack.services.sessions import AccessToken, Session
    from regstack.ui.forms import LoginForm
    from regstack.ui.site import Site


def sessions_pages(router: APIRouter, site: Site, services: Services) -> None:
    """Add `/login`, `/logout` and, with social sign-in, `/oauth-complete`."""
    sessions = services.sessions

    async def find_session(request: Request) -> Session | None:
        token = site.cookie.read(request)
        try:
            return await sessions.recognise(token) if token is not None else None
        except InvalidToken:
            return None

    async def welcome(request: Request, token: AccessToken, path: str | None) -> Response:
        # A browser holds one session; the one it had must not live on unseen (ASVS 5.0, V7.2.4).
        if earlier := await find_session(request):
            await sessions.end(earlier)
        response = RedirectResponse(path, 303) if path else site.go("me")
        return site.cookie.put(response, token)

    @router.get("/login")
    async def show_login(request: Request) -> Response:
        wanted = request.query_params.get("next")
        # A host that sends somebody here who is signed in already wants another account.
        is_plain = not {"next", "done", "error"} & request.query_params.keys()
        if is_plain and await find_session(request):
            return site.go("me")
        return site.show(request, "login", next=local_path(wanted) or "")

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        entries = await read_entries(request)
        path = local_path(entries.get("next"))

        async def act(body: LoginForm) -> Response:
            token = await services.login.log_in(body.email, body.password)
            return await welcome(request, token, path)

        return await site.submit(request, LOGIN, entries, act, next=path or "")

    if services.oauth is not None:
        exchange = services.oauth.exchange

        # A GET signs in, which elsewhere it must not: here the browser comes straight from the
        # provider, through redirects that cannot post. It takes two things that no link can bring
        # along: the cookie of this very browser, so that nobody is signed in by somebody else's
        # link (login CSRF), and an id that is good once, for seconds. A scanner or a prefetcher
        # elsewhere has no cookie; the browser's own prefetch would do what the person asked for.
        @router.get("/oauth-complete")
        async def complete(request: Request) -> Response:
            given, browser = request.query_params.getlist("id"), site.oauth_cookie.read(request)
            try:
                sign_in = await exchange.redeem(given[0] if len(given) == 1 else "", browser=browser)
            except UnknownExchange:
                # Loaded again, most likely: who is signed in by now is where they wanted to be.
                return site.go("me") if await find_session(request) else site.go("login", error="expired")
            except AuthenticationError as error:
                return site.go("login", error=word_for(error) or "")
            path = sign_in.redirect_to
            if sign_in.token is not None:
                return await welcome(request, sign_in.token, path)
            response = site.go("mfa-confirm", next=path or "")
            if sign_in.challenge is None:
                return response
            return site.sign_in_cookie.put(response, sign_in.challenge.token, sign_in.challenge.expires_in)

    @router.get("/logout")
    async def show_logout() -> Response:
        return site.go("me")

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        if session := await find_session(request):
            await sessions.end(session)
        return site.cookie.drop(site.go("login", done="signed-out"))
