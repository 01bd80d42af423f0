"""Signing in with external providers, and linking them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from regstack.errors import OAuthError, UnknownProvider
from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.answers import Done, ExchangeAnswer, LinkedProvider, LinkStartAnswer, ProvidersAnswer
from regstack.routers.bodies import ExchangeBody, LinkStartBody  # noqa: TC001 - FastAPI reads the annotations
from regstack.routers.cookies import OAUTH_COOKIE, InstanceCookie
from regstack.routers.entries import read_entries
from regstack.routers.problems import problems, redirect
from regstack.services.oauth_flow import Arrival, word_for
from regstack.services.sessions import Session  # noqa: TC001 - FastAPI reads the annotations

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.config.schema import RegStackConfig
    from regstack.routers.dependencies import Dependencies
    from regstack.services.oauth import OAuth

ProviderPath = Annotated[str, Path(description="A name from `GET /oauth/providers`.", examples=["google"])]
RedirectQuery = Annotated[
    str | None, Query(description="A path of this site to go to in the end.", examples=["/welcome"])
]

MAX_QUERY = 8192
"""Characters of a provider's answer that came by POST and goes on by GET."""


def oauth_router(
    route: type[APIRoute], oauth: OAuth, deps: Dependencies, config: RegStackConfig
) -> APIRouter:
    """Make the routes under `/oauth`."""
    router = APIRouter(prefix="/oauth", route_class=route, tags=["social sign-in"])
    cookie, landing = InstanceCookie(config, OAUTH_COOKIE), Landing(config)

    @router.get(
        "/providers",
        operation_id="oauth_providers",
        responses=problems(),
        summary="Which providers are there, and which are mine?",
        description="`linked` is empty without an access token.",
        openapi_extra={"security": [{}]},  # the token may be left out
    )
    async def providers(user: User | None = Depends(deps.current_user_optional())) -> ProvidersAnswer:
        linked = await oauth.accounts.linked(user) if user is not None else []
        return ProvidersAnswer(
            available=list(oauth.labels),
            labels=oauth.labels,
            linked=[LinkedProvider.of(identity) for identity in linked],
        )

    @router.get(
        "/{provider}/start",
        operation_id="oauth_start",
        status_code=302,
        response_class=RedirectResponse,
        responses=redirect(302) | problems(404, 422, 429),
        summary="Go to a provider to sign in",
        description="For a browser to navigate to. `redirect_to` is a path of this site for afterwards.",
    )
    async def start(request: Request, provider: ProviderPath, redirect_to: RedirectQuery = None) -> Response:
        browser = cookie.read(request)
        try:
            departure = await oauth.flow.start(provider, redirect_to=redirect_to, browser=browser)
        except OAuthError as error:
            return RedirectResponse(landing.place(Arrival(error=word_for(error))), 302)
        return cookie.put(RedirectResponse(departure.url, 302), departure.browser, departure.keep_seconds)

    @router.get(
        "/{provider}/callback",
        operation_id="oauth_callback",
        status_code=302,
        response_class=RedirectResponse,
        responses=redirect(302) | problems(404, 422, 429),
        summary="Come back from a provider",
        description="Leads to the page `oauth-complete` with `id`, or to `login` with `error`.",
    )
    async def finish(request: Request, provider: ProviderPath) -> Response:
        given = request.query_params.multi_items()
        params = dict(given)
        # An answer that says something twice is no provider's (RFC 6749, section 3.1).
        state = params.pop("state", "") if len(params) == len(given) else ""
        arrival = await oauth.flow.finish(provider, state, params, browser=cookie.read(request))
        return RedirectResponse(landing.place(arrival), 302)

    @router.post(
        "/{provider}/callback",
        operation_id="oauth_callback_form",
        status_code=303,
        response_class=RedirectResponse,
        responses=redirect(303) | problems(400, 404, 415, 422),
        summary="Come back from a provider that answers by a form",
    )
    async def finish_form(request: Request, provider: ProviderPath) -> Response:
        # A post from another site comes without the cookie, which is `SameSite=Lax`; the GET that
        # this leads to comes with it.
        if provider not in oauth.providers:
            raise UnknownProvider
        query = urlencode(await read_entries(request))
        if len(query) > MAX_QUERY:
            raise HTTPException(413, "the provider's answer is too long")
        return RedirectResponse(f"?{query}", 303)

    @router.post(
        "/exchange",
        operation_id="oauth_exchange",
        responses=problems(400, 403, 404, 422, 429),
        summary="Exchange the id of a finished sign-in for an access token",
        description="Once, and only from the browser that began: its cookie has to come along.",
    )
    async def exchange(request: Request, body: ExchangeBody) -> ExchangeAnswer:
        return ExchangeAnswer.of(await oauth.exchange.redeem(body.id, browser=cookie.read(request)))

    @router.post(
        "/{provider}/link/start",
        operation_id="oauth_link_start",
        responses=problems(400, 401, 403, 404, 422, 429),
        summary="Go to a provider to link it with my account",
        description="Sets the cookie that the callback asks for, then send the browser to the URL. 403 where "
        "the sign-in is longer ago than `oauth.link_session_max_age_seconds` and no password comes along.",
    )
    async def start_link(
        request: Request,
        response: Response,
        provider: ProviderPath,
        body: LinkStartBody | None = None,
        redirect_to: RedirectQuery = None,
        session: Session = Depends(deps.current_session()),
    ) -> LinkStartAnswer:
        departure = await oauth.flow.start_link(
            session,
            provider,
            current_password=body.current_password if body is not None else None,
            redirect_to=redirect_to,
            browser=cookie.read(request),
        )
        cookie.put(response, departure.browser, departure.keep_seconds)
        return LinkStartAnswer(authorization_url=departure.url)

    @router.delete(
        "/{provider}/link",
        operation_id="oauth_unlink",
        responses=problems(400, 401, 404, 422, 429),
        summary="Unlink a provider from my account",
    )
    async def unlink(provider: ProviderPath, user: User = Depends(deps.current_user(fresh=True))) -> Done:
        await oauth.accounts.unlink(user, provider)
        return Done()

    return router


class Landing:
    """Where a browser that came back from a provider is sent: to a page, whoever serves it."""

    def __init__(self, config: RegStackConfig) -> None:
        self._pages = f"{config.base_url}{config.ui_prefix}"

    def place(self, arrival: Arrival) -> str:
        """Give the address, with the exchange id or the word for what went wrong in its query."""
        if arrival.linking:
            outcome = {"error": arrival.error} if arrival.error else {"done": "connected"}
            return _with_query(arrival.redirect_to or f"{self._pages}/me", outcome)
        if arrival.exchange_id is not None:
            return _with_query(f"{self._pages}/oauth-complete", {"id": arrival.exchange_id})
        outcome = {"error": arrival.error or "sign_in_failed"}
        if arrival.redirect_to is not None:
            outcome["next"] = arrival.redirect_to
        return _with_query(f"{self._pages}/login", outcome)


def _with_query(url: str, query: dict[str, str]) -> str:
    parts = urlsplit(url)
    return parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))).geturl()
