"""Reading email addresses that people write."""

from __future__ import annotations

import hashlib
import unicodedata

from email_validator import EmailNotValidError, validate_email

from regstack.errors import InvalidEmail, InvalidText
from regstack.models.email_address import EmailAddress
from regstack.models.text import check_text, search_key

MAX_LENGTH = 254
"""Characters of an address (RFC 5321, section 4.5.3.1.3, less the angle brackets)."""

_IGNORABLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(c) for c in range(0xFE00, 0xFE10)}


def parse_email(text: str) -> EmailAddress:
    """Check an address and give both its forms.

    Normalised first and validated then, so that no spelling gets round the check: width and
    compatibility forms are folded (NFKC), characters that do not show are refused, and the key
    is the local part by toNFKC_Casefold and the domain as lower-case IDNA 2008 A-labels.

    Raises:
        InvalidEmail: mail cannot be sent there (RFC 5321, RFC 6531); says why.
    """
    if len(text) > 4 * MAX_LENGTH:
        raise InvalidEmail(f"an email address has at most {MAX_LENGTH} characters")
    try:
        written = unicodedata.normalize("NFKC", check_text(text).strip())
    except InvalidText as error:
        raise InvalidEmail(str(error)) from None
    if any(_is_invisible(character) for character in written):
        raise InvalidEmail("an email address must not contain invisible characters")
    try:
        parts = validate_email(written, check_deliverability=False)
    except EmailNotValidError as error:
        raise InvalidEmail(str(error)) from None
    return EmailAddress(
        address=parts.normalized, key=f"{search_key(parts.local_part)}@{parts.ascii_domain.lower()}"
    )


def email_key(text: str) -> str:
    """Give the key of an address; for what is none, a text that no account has."""
    try:
        return parse_email(text).key
    except InvalidEmail:
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_invisible(character: str) -> bool:
    """Whether Unicode's toNFKC_Casefold drops it, or it has no place in any text."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs"} or character in _IGNORABLE
