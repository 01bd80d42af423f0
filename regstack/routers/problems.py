"""What the OpenAPI document says of answers other than what succeeds."""

# Without `from __future__ import annotations`: pydantic would compile the text of each field again.

from typing import Annotated, Any

from pydantic import Field

from regstack.routers.answers import Answer


class Problem(Answer):
    """What went wrong, for people."""

    detail: str


class InputProblem(Answer):
    """What is wrong with one part of a request; never what was sent there."""

    loc: Annotated[list[str | int], Field(description="Where it is.", examples=[["body", "password"]])]
    msg: Annotated[str, Field(description="What would be right, for people.")]
    type: Annotated[str, Field(description="A stable name of the kind of mistake.")]


class InputProblems(Answer):
    """A request that does not have the form it must have, or holds a value that is refused."""

    detail: list[InputProblem]


_PROBLEMS = {
    400: "A body that is not JSON; a wrong password or code; a token that is unknown, used or expired; "
    "nothing to do",
    401: "Not signed in, or not with this address and password",
    403: "Not allowed",
    404: "Not found",
    409: "Taken, or refused by a rule",
    413: "Body too large",
    415: "Not what a form sends",
    422: "Not of the right form, or a value that is refused",
    429: "Too many attempts; see `Retry-After`",
    503: "Unavailable for the moment; see `Retry-After`",
}

_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "RFC 6750, section 3.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    }
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait (RFC 9110, section 10.2.3).",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
_HEADERS = {401: {"headers": _CHALLENGE}, 429: {"headers": _RETRY_AFTER}, 503: {"headers": _RETRY_AFTER}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe a route's errors for OpenAPI; those that every route may answer are added."""
    return {
        status: {
            "model": InputProblems if status == 422 else Problem,
            "description": _PROBLEMS[status],
        }
        | _HEADERS.get(status, {})
        for status in sorted({*statuses, 413, 503})
    }


def redirect(status: int) -> dict[int | str, dict[str, Any]]:
    """Describe for OpenAPI an answer that only sends the browser on."""
    location = {"description": "Where to.", "schema": {"type": "string", "format": "uri-reference"}}
    return {status: {"description": "Sends the browser on.", "headers": {"Location": location}}}
