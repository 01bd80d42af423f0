"""Pages for signing in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse

from regstack.auth.redirects import local_path
from regstack.errors import InvalidToken
from regstack.routers.entries import read_entries
from regstack.ui.forms import LOGIN

if TYPE_CHECKING:
    from fastapi import APIRouter

    from regstack.services.services import Services
    from regstack.services.sessions import Session
    from regstack.ui.forms import LoginForm
    from regstack.ui.site import Site


def sessions_pages(router: APIRouter, site: Site, services: Services) -> None:
    """Add `/login` and `/logout`."""
    sessions = services.sessions

    async def find_session(request: Request) -> Session | None:
        token = site.cookie.read(request)
        try:
            return await sessions.recognise(token) if token is not None else None
        except InvalidToken:
            return None

    @router.get("/login")
    async def show_login(request: Request) -> Response:
        wanted = request.query_params.get("next")
        # A host that sends somebody here who is signed in already wants another account.
        if wanted is None and "done" not in request.query_params and await find_session(request):
            return site.go("me")
        return site.show(request, "login", next=local_path(wanted) or "")

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        entries = await read_entries(request)
        path = local_path(entries.get("next"))

        async def act(body: LoginForm) -> Response:
            token = await services.login.log_in(body.email, body.password)
            # A browser holds one session; the one it had must not live on unseen (ASVS 5.0, V7.2.4).
            if earlier := await find_session(request):
                await sessions.end(earlier)
            return site.cookie.put(RedirectResponse(path, 303) if path else site.go("me"), token)

        return await site.submit(request, LOGIN, entries, act, next=path or "")

    @router.get("/logout")
    async def show_logout() -> Response:
        return site.go("me")

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        if session := await find_session(request):
            await sessions.end(session)
        return site.cookie.drop(site.go("login", done="signed-out"))
