"""What every page does besides its own work."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request
from fastapi.routing import APIRoute

from regstack.errors import InvalidToken, RegStackError
from regstack.routers.callers import Callers
from regstack.routers.errors import to_http
from regstack.routers.route import bounded
from regstack.ui.messages import explain, sentence
from regstack.ui.site import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Response

    from regstack.config.schema import RegStackConfig
    from regstack.ui.site import Site

logger = logging.getLogger("regstack.http")


def page_route(site: Site, config: RegStackConfig) -> type[APIRoute]:
    """Make the route class of one instance's pages.

    It knows who calls, refuses posts of other sites before anything is read, bounds the body, shows errors as
    pages, sends those who are not signed in to sign in, and sets the header fields of every answer.
    """
    callers = Callers(config)

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_page(request: Request) -> Response:
                with callers.read(request) as caller:
                    response = await _answer(site, handle, request)
                callers.answer(response, caller)
                response.headers.update(site.headers)
                return response

            return handle_page

    return PageRoute


async def _answer(
    site: Site, handle: Callable[[Request], Coroutine[Any, Any, Response]], request: Request
) -> Response:
    try:
        if request.method == "POST" and not site.own_origin.has_sent(request):
            logger.info(
                "refused a form that no page of this site sent; if it was one, "
                "check base_url, behind_proxy and what the proxy does to Host and Origin"
            )
            raise HTTPException(
                403,
                "this form was not sent by a page of this site, so nothing was changed; "
                "open the page anew and send the form from there",
            )
        return await handle(bounded(request))
    except InvalidToken:
        return site.cookie.drop(site.go("login", done="sign-in"))
    except HTTPException as error:
        return site.show_problem(request, error.status_code, sentence(str(error.detail)))
    except RegStackError as error:
        answer = to_http(error)
        return site.show_problem(
            request, answer.status_code, explain(error, answer), retry_after(answer.headers)
        )
