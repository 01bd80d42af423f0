"""What every route of regstack does besides its own work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from regstack.errors import RegStackError
from regstack.routers.callers import Callers
from regstack.routers.errors import to_http

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Response
    from starlette.types import Message

    from regstack.config.schema import RegStackConfig

MAX_BODY_BYTES = 64 * 1024
"""A larger body is refused before it is read; no request of regstack comes near it."""

_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""Of every answer, as they go over the wire; no route sets them itself."""


def api_route(config: RegStackConfig) -> type[APIRoute]:
    """Make the route class of one instance's JSON routes.

    It knows who calls, bounds the body, maps errors, never echoes what was sent, and forbids
    caching. Errors are mapped here and not by handlers of the application, which belongs to the
    host.
    """
    callers = Callers(config)

    class RegStackRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_bounded(request: Request) -> Response:
                with callers.read(request) as caller:
                    response = await _answer(handle, request)
                callers.answer(response, caller)
                response.raw_headers.extend(_HEADERS)
                return response

            return handle_bounded

    return RegStackRoute


async def _answer(handle: Callable[[Request], Coroutine[Any, Any, Response]], request: Request) -> Response:
    try:
        return await handle(bounded(request))
    except RequestValidationError as error:
        return JSONResponse({"detail": _without_input(error)}, 422)
    except HTTPException as error:
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
    except RegStackError as error:
        answer = to_http(error)
        return JSONResponse({"detail": answer.detail}, answer.status_code, answer.headers)


def bounded(request: Request) -> Request:
    """Give the same request with a body that ends in 413 past `MAX_BODY_BYTES`."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) > MAX_BODY_BYTES:
        raise HTTPException(413, f"a request body has at most {MAX_BODY_BYTES} bytes")
    if request.method == "GET":
        return request  # nobody reads its body, and what is parsed of it already stays so
    read = 0

    async def receive() -> Message:
        nonlocal read
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY_BYTES:
            raise HTTPException(413, f"a request body has at most {MAX_BODY_BYTES} bytes")
        return message

    return Request(request.scope, receive)


def _without_input(error: RequestValidationError) -> list[dict[str, Any]]:
    """FastAPI's own report, less the values that came: they may be passwords, or not encodable."""
    return [
        {
            "loc": [_printable(part) for part in problem["loc"]],
            "msg": _printable(problem["msg"]),
            "type": problem["type"],
        }
        for problem in error.errors()[:20]
    ]


def _printable(part: str | int) -> str | int:
    return part.encode("utf-8", "replace").decode()[:200] if isinstance(part, str) else part
