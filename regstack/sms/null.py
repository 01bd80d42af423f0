"""The transport for development and tests: text messages stay here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regstack.sms.service import SmsMessage

LONGEST_OUTBOX = 1000
"""Messages that are kept; older ones are forgotten."""


class NullSmsService:
    """Keeps messages in `outbox` and sends nothing.

    Attributes:
        outbox: the last `LONGEST_OUTBOX` messages, newest last.
    """

    def __init__(self) -> None:
        self.outbox: list[SmsMessage] = []

    async def send(self, message: SmsMessage) -> None:
        """Keep the message."""
        self.outbox.append(message)
        del self.outbox[:-LONGEST_OUTBOX]
