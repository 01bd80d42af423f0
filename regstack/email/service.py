"""What a mail transport is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from regstack.email.message import MailMessage


class EmailService(Protocol):
    """Carries mails. May also have `aclose` (see `ClosableEmailService`)."""

    async def send(self, message: MailMessage) -> None:
        """Hand one mail over; return once the next server has taken responsibility for it.

        Runs after the answer, in the mail queue, which repeats what failed. Several calls may
        run at the same time, and successive ones in different event loops.

        Raises:
            DeliveryError: it was not accepted; with `permanent=True` it is not tried again. The
                message is logged: it holds no content, no address and no credentials.
        """


@runtime_checkable
class ClosableEmailService(Protocol):
    """A transport that holds something open."""

    async def aclose(self) -> None:
        """Close what is open; called once, after the last `send`."""
