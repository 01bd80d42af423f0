"""From a request to its caller, and from the caller to the answer's header fields."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from regstack.auth.addresses import client_address, network_of
from regstack.routers.cookies import InstanceCookie
from regstack.services.caller import Caller, Origin

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from regstack.config.schema import RegStackConfig

DEVICE_SECONDS = 365 * 24 * 3600
"""How long a browser is known again."""

_DEVICE = re.compile(r"[A-Za-z0-9_-]{22}")


class Callers:
    """Reads and answers callers, by the settings of one instance.

    Args:
        config: the settings.
    """

    def __init__(self, config: RegStackConfig) -> None:
        self._trusted_proxies = config.trusted_proxy_count
        # Behind a proxy that is not counted, every caller has the proxy's address: it tells nobody apart.
        self._knows_networks = not config.behind_proxy or config.trusted_proxy_count > 0
        self._device_cookie = InstanceCookie(config, "device")

    def read(self, request: Request) -> Caller:
        """Say who calls."""
        return Caller(lambda: self._origin_of(request), lambda: _hung_up(request))

    def _origin_of(self, request: Request) -> Origin:
        peer = request.client.host if request.client is not None else None
        address = client_address(peer, request.headers.getlist("x-forwarded-for"), self._trusted_proxies)
        device = self._device_cookie.read(request)
        return Origin(
            address=address,
            network=network_of(address) if address is not None and self._knows_networks else None,
            device=device if device is not None and _DEVICE.fullmatch(device) else None,
        )

    def answer(self, response: Response, caller: Caller) -> None:
        """Tell the caller how far limits are used up, and by what its browser is known again.

        The fields are those of draft-ietf-httpapi-ratelimit-headers-10.
        """
        if caller.policies:
            response.headers["RateLimit-Policy"] = ", ".join(
                f'"{policy.name}";q={policy.quota};w={policy.window}' for policy in caller.policies
            )
            response.headers["RateLimit"] = ", ".join(
                f'"{policy.name}";r={policy.remaining}'
                + (f";t={policy.reset}" if policy.reset is not None else "")
                for policy in caller.policies
            )
        if caller.remember_device is not None:
            self._device_cookie.put(response, caller.remember_device, DEVICE_SECONDS)


async def _hung_up(request: Request) -> None:
    """End once the client has hung up.

    A server goes on with a request whose client is gone, and tells so only to who asks. A use case asks
    after the body has been read, so that nothing else can come.
    """
    message = await request.receive()
    if message["type"] != "http.disconnect":
        await asyncio.Future()  # it tells something else, and so will never tell
