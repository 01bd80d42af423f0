"""Mail that leaves after the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.models.line import one_line
from regstack.services.courier import Courier

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from regstack.config.schema import EmailConfig
    from regstack.email.message import MailMessage
    from regstack.email.service import EmailService
    from regstack.services.background import BackgroundQueue


class Mailer(Courier["MailMessage", "EmailService"]):
    """The courier of mails.

    Args:
        queue: where mails wait.
        service: the transport.
        config: `max_attempts`.
        wait: as for `Courier`.
    """

    noun = "mail"

    def __init__(
        self,
        queue: BackgroundQueue,
        service: EmailService,
        config: EmailConfig,
        *,
        wait: wait_base | None = None,
    ) -> None:
        super().__init__(queue, service, config.max_attempts, wait=wait)

    def destination(self, message: MailMessage) -> str:
        """Name the domain alone."""
        return f"an address at {one_line(message.to.rpartition('@')[2], 100)}"
