"""The transport for development and tests: text messages stay here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from regstack.models.line import one_line

if TYPE_CHECKING:
    from regstack.sms.service import SmsMessage

logger = logging.getLogger(__name__)

LONGEST_OUTBOX = 1000
"""Messages that are kept; older ones are forgotten."""


class NullSmsService:
    """Keeps messages in `outbox`, sends nothing, and logs that.

    Args:
        log_bodies: log whole messages, codes included. Development only: whoever reads the log
            can use the codes.

    Attributes:
        outbox: the last `LONGEST_OUTBOX` messages, newest last.
    """

    def __init__(self, *, log_bodies: bool = False) -> None:
        self.outbox: list[SmsMessage] = []
        self._log_bodies = log_bodies

    async def send(self, message: SmsMessage) -> None:
        """Keep the message and log that."""
        self.outbox.append(message)
        del self.outbox[:-LONGEST_OUTBOX]
        if self._log_bodies:
            logger.info("text message to %s kept: %s", one_line(message.to, 40), one_line(message.text, 1000))
        else:
            logger.info("a text message was kept, not sent (sms.log_bodies = true shows it, for development)")
