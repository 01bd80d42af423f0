"""The transport for development and tests: mails stay here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from regstack.models.line import one_line

if TYPE_CHECKING:
    from regstack.email.message import MailMessage

LONGEST_OUTBOX = 1000
"""Mails that are kept; older ones are forgotten."""


class ConsoleEmailService:
    """Keeps mails in `outbox` and prints a line about each.

    Args:
        log_bodies: print whole mails, links included. Development only: whoever reads the output
            can use the links.
        stream: where to print; without it the standard error stream of the moment.

    Attributes:
        outbox: the last `LONGEST_OUTBOX` mails, newest last.
    """

    def __init__(self, *, log_bodies: bool = False, stream: TextIO | None = None) -> None:
        self.outbox: list[MailMessage] = []
        self._log_bodies = log_bodies
        self._stream = stream

    async def send(self, message: MailMessage) -> None:
        """Keep the mail and print about it."""
        self.outbox.append(message)
        del self.outbox[:-LONGEST_OUTBOX]
        report = f"mail to {one_line(message.to)}: {one_line(message.subject)}\n"
        if not self._log_bodies and len(self.outbox) == 1:
            report += "    (its text is not shown; email.log_bodies = true shows it, for development)\n"
        if self._log_bodies:
            report += "".join(f"    {line}\n" for line in message.text.strip().splitlines())
        stream = self._stream if self._stream is not None else sys.stderr
        stream.write(report)
        stream.flush()
