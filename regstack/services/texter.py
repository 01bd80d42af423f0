"""Text messages that leave after the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.models.line import one_line
from regstack.services.courier import Courier

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from regstack.config.schema import SmsConfig
    from regstack.services.background import BackgroundQueue
    from regstack.sms.service import SmsMessage, SmsService

_COUNTRY = 3
"""Characters of a number that tell its country or part of the world, the plus sign included."""


class Texter(Courier["SmsMessage", "SmsService"]):
    """The courier of text messages.

    Args:
        queue: where messages wait.
        service: the transport.
        config: `max_attempts`.
        wait: as for `Courier`.
    """

    noun = "text"

    def __init__(
        self,
        queue: BackgroundQueue,
        service: SmsService,
        config: SmsConfig,
        *,
        wait: wait_base | None = None,
    ) -> None:
        super().__init__(queue, service, config.max_attempts, wait=wait)

    def destination(self, message: SmsMessage) -> str:
        """Name the country code alone, since an operator sees by it which network is out."""
        return f"a number that begins with {one_line(message.to[:_COUNTRY])}"
