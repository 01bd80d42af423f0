"""Phone numbers in the one form that storage and transports see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from regstack.errors import InvalidPhoneNumber
from regstack.extras import load_library

if TYPE_CHECKING:
    from types import ModuleType

MAX_LENGTH = 40
"""Characters of a number as it is typed, blanks and brackets included."""

LONGEST = 16
"""Characters of a number: a plus sign and 15 digits (ITU-T E.164, section 6)."""

_WRITTEN = re.compile(r"\+[0-9 ()./\u00a0\u2010-\u2013-]+")


def parse_phone(text: str) -> str:
    """Give the number in E.164: a plus sign and at most 15 digits.

    It must name its country, and have a length that the country's numbers have. Whether it is in
    use is shown by the code that arrives there. Premium-rate numbers are refused, since whoever
    owns one would be paid for each text.

    Raises:
        InvalidPhoneNumber: it is not such a number.
        ConfigurationError: the library is not installed.
    """
    library = load_phonenumbers()
    written = text.strip()
    if len(text) > MAX_LENGTH or not _WRITTEN.fullmatch(written):
        raise InvalidPhoneNumber
    try:
        number = library.parse(written)
    except library.NumberParseException:
        raise InvalidPhoneNumber from None
    if not library.is_possible_number(number):
        raise InvalidPhoneNumber
    if library.number_type(number) == library.PhoneNumberType.PREMIUM_RATE:
        raise InvalidPhoneNumber("texts are not sent to premium-rate numbers")
    canonical = str(library.format_number(number, library.PhoneNumberFormat.E164))
    # The library knows numbers of some countries that are longer than any network takes.
    if len(canonical) > LONGEST:
        raise InvalidPhoneNumber
    return canonical


def load_phonenumbers() -> ModuleType:
    """Give the library, which is loaded here and not with this module: it is large, and an extra.

    Raises:
        ConfigurationError: it is not installed.
    """
    return load_library("phonenumbers", extra="sms", needed_by="enable_sms_2fa")
