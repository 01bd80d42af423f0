"""An email address in its two forms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """What `regstack.auth.emails.parse_email` makes of an address that somebody wrote.

    Attributes:
        address: as written, checked; mail can be sent to it.
        key: canonical: local part by toNFKC_Casefold, domain as lower-case A-labels. Two
            addresses are one account exactly if their keys are equal.
    """

    address: str
    key: str
