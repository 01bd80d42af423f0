"""Text messages that leave after the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.models.line import one_line
from regstack.services.courier import Courier

if TYPE_CHECKING:
    from regstack.sms.service import SmsMessage, SmsService  # noqa: F401 - named in the base class

_COUNTRY = 3
"""Characters of a number that tell its country or part of the world, the plus sign included."""


class Texter(Courier["SmsMessage", "SmsService"]):
    """The courier of text messages."""

    noun = "text"

    def destination(self, message: SmsMessage) -> str:
        """Name the country code alone, since an operator sees by it which network is out."""
        return f"a number that begins with {one_line(message.to[:_COUNTRY])}"
