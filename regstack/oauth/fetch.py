"""Requests to providers: bounded in time and size, never redirected, through httpx2."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from regstack.errors import OAuthRejected, OAuthUnavailable
from regstack.extras import load_library
from regstack.oauth.strict_json import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

DEADLINE_SECONDS = 10.0
"""One request, from the look-up of the name to the last byte."""

MAX_BYTES = 256 * 1024
"""Bytes of an answer; the largest key sets and descriptions have a tenth of it."""


class Fetcher:
    """Asks providers.

    Every request has a connection of its own: sign-ins are rare, and so no event loop is remembered.
    Proxies of the environment are used.

    Args:
        deadline: seconds that one request may take.

    Raises:
        ConfigurationError: the library is not installed.
    """

    def __init__(self, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._library = library("httpx2")
        # Reading the certificates takes a tenth of a second, so it is done once, before any request.
        self._tls = self._library.create_ssl_context()
        self._deadline = deadline

    async def get(self, what: str, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """Give the JSON value that stands at a URL.

        Args:
            what: how errors call it.
            url: where; checked by the caller.
            headers: to send along.

        Raises:
            OAuthUnavailable: no answer in time, or the server reports a fault of its own.
            OAuthRejected: any other answer that is not the value.
        """
        status, body = await self._request(what, "GET", url, headers or {}, None)
        if status != 200:
            raise OAuthRejected(f"{what}: status {status}")
        return _read(what, body)

    async def post(
        self, what: str, url: str, headers: Mapping[str, str], form: str
    ) -> tuple[int, dict[str, Any]]:
        """Send a form and give the status, 200 or 4xx, and the JSON object of the answer.

        Raises:
            OAuthUnavailable: no answer in time, or the server reports a fault of its own.
            OAuthRejected: any other answer that is not an object.
        """
        status, body = await self._request(what, "POST", url, headers, form.encode())
        answer = _read(what, body)
        if not isinstance(answer, dict):
            raise OAuthRejected(f"{what}: not an object")
        return status, answer

    async def _request(
        self, what: str, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "User-Agent": "regstack", **headers}
        # A compressed answer may be small on the way and huge after it.
        headers["Accept-Encoding"] = "identity"
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._library.AsyncClient(
                    verify=self._tls, follow_redirects=False, timeout=self._deadline
                ) as client,
                client.stream(method, url, headers=headers, content=content) as response,
            ):
                status = int(response.status_code)
                _check_head(what, status, response.headers)
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise OAuthRejected(f"{what}: more than {MAX_BYTES} bytes")
                return status, bytes(body)
        except TimeoutError:
            raise OAuthUnavailable(f"{what}: no answer within {self._deadline:g} seconds") from None
        except (self._library.HTTPError, self._library.InvalidURL, OSError) as error:
            # The library's own words may hold what the server sent.
            raise OAuthUnavailable(f"{what}: {type(error).__name__}") from None


def library(name: str) -> Any:
    """Import what the extra `oauth` brings.

    Raises:
        ConfigurationError: it is not installed.
    """
    return load_library(name, extra="oauth", needed_by="enable_oauth")


def _check_head(what: str, status: int, headers: Mapping[str, str]) -> None:
    if status >= 500 or status in {408, 429}:
        raise OAuthUnavailable(f"{what}: status {status}")
    if not (status == 200 or 400 <= status < 500):
        raise OAuthRejected(f"{what}: status {status}")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise OAuthRejected(f"{what}: compressed without being asked")


def _read(what: str, body: bytes) -> Any:
    try:
        return read_json(body)
    except ValueError:
        raise OAuthRejected(f"{what}: not JSON, or ambiguous") from None
