"""What a mail transport is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from regstack.email.message import MailMessage


class EmailService(Protocol):
    """Carries mails.

    May also have `async aclose()`, called once, after the last `send`; and `async probe() -> str`,
    by which `regstack doctor` looks whether mails would leave, without sending one: it gives one
    line on what it found, or raises `DeliveryError`.
    """

    async def send(self, message: MailMessage) -> None:
        """Hand one mail over; return once the next server has taken responsibility for it.

        Runs after the answer, in the mail queue, which repeats what failed. Several calls may
        run at the same time, and successive ones in different event loops.

        Raises:
            DeliveryError: it was not accepted; with `permanent=True` it is not tried again. The
                message is logged: it holds no content, no address and no credentials.
        """
