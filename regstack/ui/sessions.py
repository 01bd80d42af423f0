"""Pages for signing in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads the annotations

from regstack.auth.redirects import local_path
from regstack.errors import ChallengeOver, InvalidToken
from regstack.services.second_factor import MfaChallenge
from regstack.ui.forms import LOGIN, MFA_CONFIRM, read_entries

if TYPE_CHECKING:
    from fastapi import APIRouter

    from regstack.services.services import Services
    from regstack.services.sessions import AccessToken, Session
    from regstack.ui.forms import LoginForm, MfaConfirmForm
    from regstack.ui.site import Site


def sessions_pages(router: APIRouter, site: Site, services: Services) -> None:
    """Add `/login`, `/mfa-confirm` and `/logout`."""
    sessions, second_factor = services.sessions, services.second_factor

    async def find_session(request: Request) -> Session | None:
        token = site.cookie.read(request)
        try:
            return await sessions.recognise(token) if token is not None else None
        except InvalidToken:
            return None

    async def let_in(request: Request, token: AccessToken, path: str | None) -> Response:
        # A browser holds one session; the one it had must not live on unseen (ASVS 5.0, V7.2.4).
        if earlier := await find_session(request):
            await sessions.end(earlier)
        return forget_unfinished(request, site.welcome(token, path=path))

    def forget_unfinished(request: Request, response: Response) -> Response:
        for cookie in (site.sign_in_cookie, site.phone_cookie):
            if cookie.read(request) is not None:
                cookie.drop(response)
        return response

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
            outcome = await services.login.log_in(body.email, body.password)
            if isinstance(outcome, MfaChallenge):
                return site.welcome(outcome, path=path)
            return await let_in(request, outcome, path)

        return await site.submit(request, LOGIN, entries, act, next=path or "")

    if second_factor is not None:

        @router.get("/mfa-confirm")
        async def show_confirmation(request: Request) -> Response:
            path = local_path(request.query_params.get("next"))
            try:
                delivery = await second_factor.delivery(site.sign_in_cookie.read(request) or "")
            except ChallengeOver:
                return start_again(path)
            return site.show(request, "mfa-confirm", next=path or "", delivery=delivery)

        @router.post("/mfa-confirm")
        async def confirm(request: Request) -> Response:
            entries, pending = await read_entries(request), site.sign_in_cookie.read(request) or ""
            path = local_path(entries.get("next"))

            async def act(body: MfaConfirmForm) -> Response:
                return await let_in(request, await second_factor.confirm(pending, body.code), path)

            try:
                delivery = await second_factor.delivery(pending)
                return await site.submit(
                    request, MFA_CONFIRM, entries, act, next=path or "", delivery=delivery
                )
            except ChallengeOver:
                return start_again(path)

    def start_again(path: str | None) -> Response:
        return site.sign_in_cookie.drop(site.go("login", done="code-over", next=path or ""))

    @router.get("/logout")
    async def show_logout() -> Response:
        return site.go("me")

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        if session := await find_session(request):
            await sessions.end(session)
        return forget_unfinished(request, site.cookie.drop(site.go("login", done="signed-out")))
