"""Mail that leaves after the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.models.line import one_line
from regstack.services.courier import Courier

if TYPE_CHECKING:
    from regstack.email.message import MailMessage
    from regstack.email.service import EmailService  # noqa: F401 - named in the base class


class Mailer(Courier["MailMessage", "EmailService"]):
    """The courier of mails."""

    noun = "mail"

    def destination(self, message: MailMessage) -> str:
        """Name the domain alone."""
        return f"an address at {one_line(message.to.rpartition('@')[2], 100)}"
