"""Every text message that regstack sends, and to which number it goes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from regstack.email.composer import duration
from regstack.errors import DeliveryError
from regstack.models.line import one_line
from regstack.sms.service import SmsMessage

if TYPE_CHECKING:
    from datetime import timedelta

    from regstack.services.background import BackgroundQueue
    from regstack.sms.service import SmsService

logger = logging.getLogger(__name__)

LONGEST_NAME = 40
"""Characters of the application's name in a text, which has 160 in all."""


class Texts:
    """Queues texts to numbers that are stored with an account, or being set up for one.

    Args:
        queue: where texts wait.
        service: the transport.
        app_name: who the texts say they are from.

    Attributes:
        service: the transport; may be replaced, and texts that wait go through the new one.
    """

    def __init__(self, queue: BackgroundQueue, service: SmsService, app_name: str) -> None:
        self.service = service
        self._queue = queue
        self._app_name = one_line(app_name, LONGEST_NAME)

    def login_code(self, number: str, code: str, expires_in: timedelta) -> None:
        """Send the code that finishes a sign-in."""
        text = (
            f"{code} is your code to sign in to {self._app_name}, good for {duration(expires_in)}. "
            "Nobody will ask you for it. If that was not you, change your password."
        )
        self._post(SmsMessage(number, text), kind="login_code")

    def phone_code(self, number: str, code: str, expires_in: timedelta) -> None:
        """Send the code that confirms a number."""
        text = (
            f"{code} is your code to confirm this phone for {self._app_name}, good for "
            f"{duration(expires_in)}. Nobody will ask you for it: do not pass it on."
        )
        self._post(SmsMessage(number, text), kind="phone_code")

    def _post(self, message: SmsMessage, *, kind: str) -> None:
        self._queue.put(lambda: self._deliver(message, kind), label=f"text {kind}")

    async def _deliver(self, message: SmsMessage, kind: str) -> None:
        try:
            await self.service.send(message)
        except Exception as error:  # noqa: BLE001 - a host's transport may raise anything
            # Only our own errors are quoted: others may hold the number or the code.
            reason = f": {one_line(error)}" if isinstance(error, DeliveryError) else ""
            logger.error("text %s was not delivered: %s%s", kind, type(error).__name__, reason)  # noqa: TRY400
