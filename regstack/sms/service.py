"""What a text message is, and what carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """A text message to one phone.

    Attributes:
        to: the recipient's number (E.164).
        text: may hold a code.
    """

    to: str
    text: str = field(repr=False)


class SmsService(Protocol):
    """Carries text messages."""

    async def send(self, message: SmsMessage) -> None:
        """Hand one message over.

        Raises:
            DeliveryError: it was not accepted; with `permanent=True` a repeat cannot help. The
                message holds no content, no number and no credentials.
        """
