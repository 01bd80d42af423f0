"""Connected accounts on the page of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads the annotations

from regstack.ui.forms import CONNECT, DISCONNECT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    from fastapi import APIRouter

    from regstack.models.user import User
    from regstack.routers.bodies import Body
    from regstack.services.oauth import OAuth
    from regstack.services.sessions import Session
    from regstack.ui.forms import Form, ProviderForm
    from regstack.ui.site import Site

    B = TypeVar("B", bound=Body)

    class Submit(Protocol):
        """Has a form of the signed-in person checked and acted on."""

        async def __call__(
            self, request: Request, form: Form[B], act: Callable[[User, B], Awaitable[Response]]
        ) -> Response:
            """Answer."""


def oauth_pages(
    router: APIRouter,
    site: Site,
    oauth: OAuth,
    session_of: Callable[[Request], Awaitable[Session]],
    submit: Submit,
) -> None:
    """Add the forms of `/me` that concern external providers."""

    @router.post("/me/connect")
    async def connect(request: Request) -> Response:
        async def act(_: User, body: ProviderForm) -> Response:
            session, browser = await session_of(request), site.oauth_cookie.read(request)
            departure = await oauth.flow.start_link(session, body.provider, browser=browser)
            # A post, so that no other site can have an account linked with one of its own. But a
            # browser follows no redirect from a form to another site (`form-action`, CSP 3,
            # section 6.4.1), so a page leads on.
            response = site.show(request, "leaving", label=oauth.labels[body.provider], to=departure.url)
            return site.oauth_cookie.put(response, departure.browser, departure.keep_seconds)

        return await submit(request, CONNECT, act)

    @router.post("/me/disconnect")
    async def disconnect(request: Request) -> Response:
        async def act(user: User, body: ProviderForm) -> Response:
            await oauth.accounts.unlink(user, body.provider)
            return site.go("me", done="disconnected")

        return await submit(request, DISCONNECT, act)
