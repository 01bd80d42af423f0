"""Text messages by Twilio's Programmable Messaging (API 2010-04-01), through httpx2."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from regstack.errors import ConfigurationError, DeliveryError
from regstack.extras import load_library

if TYPE_CHECKING:
    from regstack.config.schema import SmsConfig
    from regstack.sms.service import SmsMessage

API: Final = "https://api.twilio.com"

_LONGEST_ANSWER: Final = 65536


class TwilioSmsService:
    """Sends each message by one request of its own, and follows no redirect.

    Twilio knows no way to tell a repeated message from a second one, so a request whose answer is
    lost may lead to two.

    Args:
        config: `twilio_account_sid`, `twilio_auth_token`, `from_number` and the deadline.
        api: where Twilio is.

    Raises:
        ConfigurationError: httpx2 is not installed, or a setting is missing.
    """

    def __init__(self, config: SmsConfig, *, api: str = API) -> None:
        for name in ("twilio_account_sid", "twilio_auth_token", "from_number"):
            if not getattr(config, name):
                raise ConfigurationError(f'sms.backend = "twilio" needs sms.{name}')
        self._library = load_library("httpx2", extra="twilio", needed_by='sms.backend = "twilio"')
        self._config = config
        self._account = f"{api}/2010-04-01/Accounts/{quote(config.twilio_account_sid or '', safe='')}"
        self._tls_context: ssl.SSLContext | None = None

    async def send(self, message: SmsMessage) -> None:
        """Hand one message to Twilio.

        Raises:
            DeliveryError: it was not accepted; permanent for a 4xx answer other than 429.
        """
        form = {"To": message.to, "From": self._config.from_number, "Body": message.text}
        await self._request("POST", f"{self._account}/Messages.json", data=form)

    async def probe(self) -> str:
        """Look at the account with the credentials, without sending anything.

        Returns:
            One line on what was found, without credentials.

        Raises:
            DeliveryError: they are not taken, or Twilio cannot be reached.
        """
        answer = await self._request("GET", f"{self._account}.json")
        status = answer.get("status")
        if status != "active":
            told = status if status in {"suspended", "closed"} else "not active"
            raise DeliveryError(f"the Twilio account is {told}", permanent=True)
        return "Twilio: the account is active"

    async def _request(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        library, config = self._library, self._config
        token = config.twilio_auth_token
        try:
            async with (
                asyncio.timeout(config.timeout_seconds),
                library.AsyncClient(
                    auth=(config.twilio_account_sid, token.get_secret_value() if token else ""),
                    verify=await self._tls(),
                    timeout=config.timeout_seconds,
                    follow_redirects=False,
                ) as client,
                client.stream(method, url, **options) as response,
            ):
                answer = await _bounded(response)
        except (TimeoutError, library.TimeoutException):
            raise DeliveryError(f"Twilio took longer than {config.timeout_seconds:g} s") from None
        except (library.HTTPError, OSError) as error:
            # Not as its cause: a library's words may quote the request.
            kind = type(error).__name__
            raise DeliveryError(f"Twilio cannot be reached, or broke off ({kind})") from None
        if not response.is_success:
            raise _refusal(response.status_code, answer)
        return answer

    async def _tls(self) -> ssl.SSLContext:
        if self._tls_context is None:
            # Reads the system's certificates from disk: once, and off the event loop.
            self._tls_context = await asyncio.to_thread(ssl.create_default_context)
        return self._tls_context


def _refusal(status: int, answer: dict[str, Any]) -> DeliveryError:
    """What Twilio refused, by its numbers: its words quote the recipient."""
    code = answer.get("code")
    named = f", error {code}" if isinstance(code, int) else ""
    hint = "; check sms.twilio_account_sid and sms.twilio_auth_token" if status in {401, 403} else ""
    transient = status in {408, 429} or status >= 500
    return DeliveryError(f"Twilio answered {status}{named}{hint}", permanent=not transient)


async def _bounded(response: Any) -> dict[str, Any]:
    """Read a JSON object, as far as it is one and not too long."""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _LONGEST_ANSWER:
            return {}
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
