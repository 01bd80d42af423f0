from __future__ import annotations

import sys

import pytest

from regstack.auth.phone_numbers import parse_phone
from regstack.errors import ConfigurationError, InvalidPhoneNumber


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+41446681800", "+41446681800"),
        ("+41 44 668 18 00", "+41446681800"),
        (" +41 (0)44 668-18-00 ", "+41446681800"),
        ("+41\u00a044\u2011668\u201118.00", "+41446681800"),
        ("+1 (555) 123-4567", "+15551234567"),
        ("+39 06 698 12345", "+390669812345"),
        ("+44 7911 123456", "+447911123456"),
    ],
)
def test_a_number_is_given_back_in_the_one_form(text: str, number: str) -> None:
    assert parse_phone(text) == number
    assert parse_phone(number) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "+41",
        "044 668 18 00",
        "0041446681800",
        "41446681800",
        "+999446681800",
        "+4144668180012345",
        "+41446681800 ext. 7",
        "+41446681800;phone-context=+1",
        "+41446681800,7",
        "+1800FLOWERS",
        "++41446681800",
        "+41446681800\n+15551234567",
        "+\uff14\uff11446681800",
        "+41446681800" + " " * 40,
        "tel:+41446681800",
    ],
)
def test_what_no_text_can_be_sent_to_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhoneNumber, match="country code"):
        parse_phone(text)


@pytest.mark.parametrize("text", ["+41 900 123 456", "+44 909 879 0000", "+1 900 234 5678"])
def test_numbers_whose_owner_is_paid_for_each_text_are_refused(text: str) -> None:
    with pytest.raises(InvalidPhoneNumber, match="premium"):
        parse_phone(text)


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(ConfigurationError, match=r"pip install \"regstack\[sms\]\""):
        parse_phone("+41446681800")
