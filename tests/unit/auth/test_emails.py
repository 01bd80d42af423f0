from __future__ import annotations

import unicodedata

import pytest

from regstack.auth.emails import parse_email
from regstack.errors import InvalidEmail

ONE_MAILBOX = [
    ("Alice@Example.com", "alice@example.com"),
    ("ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｃｏｍ", "alice@example.com"),
    ("  alice@example.com\t", "alice@example.com"),
    (unicodedata.normalize("NFD", "zoé@example.com"), unicodedata.normalize("NFC", "zoé@example.com")),
    ("STRASSE@example.com", "straße@example.com"),
    ("\u212aelvin@example.com", "kelvin@example.com"),
    ("ﬁn@example.com", "fin@example.com"),
    ("a@BÜCHER.example.org", "a@xn--bcher-kva.example.org"),
]


@pytest.mark.parametrize(("one", "other"), ONE_MAILBOX)
def test_spellings_of_one_mailbox_have_one_key(one: str, other: str) -> None:
    assert parse_email(one).key == parse_email(other).key


def test_different_mailboxes_have_different_keys() -> None:
    addresses = ["alice@example.com", "alice+tag@example.com", "al.ice@example.com", "alice@example.org"]
    assert len({parse_email(address).key for address in addresses}) == len(addresses)


def test_the_key_is_its_own_key() -> None:
    for one, _ in ONE_MAILBOX:
        key = parse_email(one).key
        assert parse_email(key).key == key


def test_the_written_form_keeps_its_case() -> None:
    assert parse_email("Alice.Smith@Example.com").address == "Alice.Smith@example.com"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "alice@",
        "@example.com",
        "alice@localhost",
        "a b@example.com",
        "alice@example.com\r\nBcc: mallory@example.com",
        "alice\r\n@example.com",
        "alice\0@example.com",
        "alice\ud800@example.com",
        "al\u00adice@example.com",
        "al\u200bice@example.com",
        "al\ufe0fice@example.com",
        "\u202ealice@example.com",
        "al\u3164ice@example.com",
        '"alice smith"@example.com',
        "alice@[127.0.0.1]",
        "alice@exa_mple.com",
        "Alice <alice@example.com>",
        "a" * 300 + "@example.com",
        "a" * 1_000_000,
    ],
)
def test_what_mail_cannot_be_sent_to_is_refused(text: str) -> None:
    with pytest.raises(InvalidEmail) as caught:
        parse_email(text)
    assert "\n" not in str(caught.value)
