"""One mail, and its form on the wire."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

import idna

from regstack.errors import InvalidEmail
from regstack.models.line import one_line

LONGEST_HEADER = 200
"""Characters of a subject or a display name."""


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A mail to one recipient.

    Attributes:
        to: the recipient's address.
        subject: one line.
        text: plain text; may hold a link with a token.
        html: the same as HTML, or None.
        sender_name: display name of the sender, where it is not the transport's own.
        key: unique; a repeated attempt keeps it, so that its Message-ID tells the repeat
            (RFC 5322, section 3.6.4).
    """

    to: str
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    sender_name: str | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False, compare=False)

    def to_email(self, from_address: str, from_name: str | None = None) -> EmailMessage:
        """Make the message of RFC 5322 that a transport sends.

        Domains are written as A-labels. Only a local part beyond ASCII makes a message that
        needs SMTPUTF8 (RFC 6531); `needs_smtputf8` tells.

        Args:
            from_address: the sender's address.
            from_name: the sender's display name, where the mail itself has none.

        Raises:
            InvalidEmail: an address is none, or would break a header.
        """
        sender = _address(from_address, self.sender_name or from_name)
        recipient = _address(self.to)
        policy = SMTPUTF8 if needs_smtputf8(sender.addr_spec, recipient.addr_spec) else SMTP
        email = EmailMessage(policy=policy)
        email["From"] = sender
        email["To"] = recipient
        email["Subject"] = _header(self.subject)
        email["Date"] = datetime.now(UTC)
        email["Message-ID"] = f"<{self.key}@{sender.domain}>"
        email["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in answer
        # Quoted-printable needs no 8BITMIME from the server and keeps lines short.
        email.set_content(self.text, cte="quoted-printable")
        if self.html is not None:
            email.add_alternative(self.html, subtype="html", cte="quoted-printable")
        return email


def needs_smtputf8(*addresses: str) -> bool:
    """Say whether one of the addresses, its domain an A-label, goes beyond ASCII."""
    return not all(address.isascii() for address in addresses)


def wire_address(address: str) -> str:
    """Give the address with its domain as A-labels, as an envelope needs it.

    Raises:
        InvalidEmail: it is no address, or would break a header.
    """
    return _address(address).addr_spec


def _address(address: str, display_name: str | None = None) -> Address:
    local, at, domain = address.rpartition("@")
    # An address is never repaired: mail to a repaired one would go to somebody else.
    if not (local and at and domain) or one_line(address, 400) != address or set(address) & set(' <>,;"'):
        raise InvalidEmail("this is not an address that mail can be sent to")
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
        return Address(_header(display_name or ""), local, ascii_domain)
    except (ValueError, idna.IDNAError):
        raise InvalidEmail("this is not an address that mail can be sent to") from None


def _header(value: str) -> str:
    # The standard library decodes encoded words (RFC 2047) even in what a program sets, and with
    # them a line break that was hidden there.
    return one_line(value, LONGEST_HEADER).replace("=?", "= ?")
