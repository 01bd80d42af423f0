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
    """Carries text messages. May also have `aclose` and `probe`, as mail transports may."""

    async def send(self, message: SmsMessage) -> None:
        """Hand one message over; return once the provider has taken responsibility for it.

        Runs after the answer, in a queue, which repeats what failed. Several calls may run at the
        same time, and successive ones in different event loops.

        Raises:
            DeliveryError: it was not accepted; with `permanent=True` it is not tried again. The
                message is logged: it holds no content, no number and no credentials.
        """
