"""Pages for signing in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads the annotations

from regstack.auth.redirects import local_path
from regstack.errors import AuthenticationError, UnknownExchange
from regstack.routers.entries import read_entries
from regstack.services.oauth_flow import word_for
from regstack.ui.door import Door
from regstack.ui.forms import LOGIN
from regstack.ui.second_factor import code_pages

if TYPE_CHECKING:
    from fastapi import APIRouter

    from regstack.services.services import Services
    from regstack.ui.forms import LoginForm
    from regstack.ui.site import Site


def sessions_pages(router: APIRouter, site: Site, services: Services) -> None:
    """Add `/login`, `/mfa-confirm`, `/logout` and, with social sign-in, `/oauth-complete`."""
    door = Door(site, services.sessions)

    @router.get("/login")
    async def show_login(request: Request) -> Response:
        wanted = request.query_params.get("next")
        # A host that sends somebody here who is signed in already wants another account.
        is_plain = not {"next", "done", "error"} & request.query_params.keys()
        if is_plain and await door.find_session(request):
            return site.go("me")
        return site.show(request, "login", next=local_path(wanted) or "")

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        entries = await read_entries(request)
        path = local_path(entries.get("next"))

        async def act(body: LoginForm) -> Response:
            outcome = await services.login.log_in(body.email, body.password)
            return await door.let_in(request, outcome, path)

        return await site.submit(request, LOGIN, entries, act, next=path or "")

    if services.second_factor is not None:
        code_pages(router, site, services.second_factor, door)

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
                if await door.find_session(request):
                    return site.go("me")
                return site.go("login", error="expired")
            except AuthenticationError as error:
                return site.go("login", error=word_for(error) or "")
            return await door.let_in(request, sign_in.outcome, sign_in.redirect_to)

    @router.get("/logout")
    async def show_logout() -> Response:
        return site.go("me")

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        return await door.let_out(request)
