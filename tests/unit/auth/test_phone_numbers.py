from __future__ import annotations

import sys

import pytest

from regstack.auth.phone_numbers import load_phonenumbers, parse_phone
from regstack.errors import ConfigurationError, InvalidPhoneNumber

SPELLINGS = [
    "+4930123456",
    "+49 30 123456",
    " +49 (0)30 / 123-456 ",
    "+49.30.123456",
    "+49\u00a030\u2011123456",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings_of_one_number_have_one_form(text: str) -> None:
    assert parse_phone(text) == "+4930123456"


@pytest.mark.parametrize("number", ["+12025550123", "+447700900123", "+33612345678", "+8613812345678"])
def test_the_form_is_its_own_form(number: str) -> None:
    assert parse_phone(number) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "030 123456",
        "0049 30 123456",
        "+999 30 123456",
        "+49 1",
        "+49 30 123456 ext. 5",
        "+49 30 123456;phone-context=+1",
        "tel:+4930123456",
        "+1 800 FLOWERS",
        "+４９３０１２３４５６",
        "+٤٩٣٠١٢٣٤٥٦",
        "+49\n30123456",
        "+49\x0030123456",
        "+49" + "1" * 14,
        "+49" + "1" * 100_000,
        "(((((((((+49 30 123456",
    ],
)
def test_what_is_no_number_with_a_country_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhoneNumber) as caught:
        parse_phone(text)
    assert "123456" not in str(caught.value)


@pytest.mark.parametrize("number", ["+1 900 555 0123", "+44 909 879 0000"])
def test_nobody_earns_by_the_texts_that_are_sent(number: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        parse_phone(number)


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(ConfigurationError, match=r'pip install "regstack\[sms\]>=1'):
        load_phonenumbers()
