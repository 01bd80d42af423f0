from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regstack.email.message import LONGEST_HEADER, MailMessage, wire_address
from regstack.errors import InvalidEmail

HOSTILE = [
    "Alice\r\nBcc: victim@example.com",
    "Alice\nBcc: victim@example.com",
    "Alice\rBcc: victim@example.com",
    "Alice\r\n\r\n<h1>a body of mine</h1>",
    "Alice\x0bBcc: victim@example.com",
    "Alice\x0cBcc: victim@example.com",
    "Alice\x85Bcc: victim@example.com",
    "Alice\u2028Bcc: victim@example.com",
    "Alice\u2029Bcc: victim@example.com",
    "Alice\x00Bcc: victim@example.com",
    "=?utf-8?q?Alice=0D=0ABcc:_victim@example.com?=",
    "=?utf-8?b?QWxpY2UNCkJjYzogdmljdGltQGV4YW1wbGUuY29t?=",
    "=?utf-8?q?=3D?==?utf-8?q?=3Futf-8=3Fq=3F=0D=0ABcc:_x?=",
    'Alice" <victim@example.com>, "Bob',
    "Alice <victim@example.com>",
    "Alice, victim@example.com",
    "Alice (a comment",
    "\ud800 lone surrogate",
    "\u202egnihsihp\u202c",
    "x" * 100_000,
    "ü" * 100_000,
    "\r\n" * 1000,
    "",
]
EXPECTED = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding",
}  # fmt: skip


def on_the_wire(subject: str, name: str | None) -> email.message.EmailMessage:
    mail = MailMessage("alice@example.com", subject, "the text\n").to_email("noreply@example.com", name)
    raw = mail.as_bytes()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b"the text\r\n"
    for line in head.split(b"\r\n"):
        assert b"\n" not in line
        assert b"\r" not in line
        assert len(line) <= 998  # RFC 5322, section 2.1.1
    return email.message_from_bytes(raw, policy=email.policy.default)


def check(mail: email.message.EmailMessage) -> None:
    assert set(mail.keys()) == EXPECTED
    assert len(mail.keys()) == len(EXPECTED)
    assert [address.addr_spec for address in mail["To"].addresses] == ["alice@example.com"]
    assert [address.addr_spec for address in mail["From"].addresses] == ["noreply@example.com"]
    assert "\r" not in mail["Subject"]
    assert "\n" not in mail["Subject"]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda value: ascii(value)[:40])
def test_no_subject_or_name_can_add_or_break_a_header(hostile):
    check(on_the_wire(hostile, None))
    check(on_the_wire("Hello", hostile))
    check(on_the_wire(hostile, hostile))


@given(st.text(), st.text())
def test_no_text_at_all_can_add_or_break_a_header(subject, name):
    check(on_the_wire(subject, name))


@pytest.mark.parametrize(
    "text", ["Grüße aus Köln", "你好，世界", "מזל טוב", "👩‍🚀 launch", "plain", "ü" * LONGEST_HEADER]
)
def test_honest_subjects_and_names_arrive_as_written(text):
    name = text[:12]  # fits one encoded word, which is all that the parser here puts together
    mail = on_the_wire(text, name)
    assert mail["Subject"] == text
    assert mail["From"].addresses[0].display_name == name


HOSTILE_ADDRESSES = [
    "",
    "alice",
    "@example.com",
    "alice@",
    "alice@example.com\r\nBcc: victim@example.com",
    "alice@example.com\nBcc: victim@example.com",
    "alice\r\n@example.com",
    "alice@example.com, victim@example.com",
    "alice@example.com>, <victim@example.com",
    "Alice <alice@example.com>",
    "alice@exa mple.com",
    "alice@example.com\x00",
    '"a b"@example.com',
    "alice@ex\u2028ample.com",
    "alice@-.\u00fc",
]


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES, ids=ascii)
def test_an_address_that_is_none_is_refused_and_never_repaired(address):
    with pytest.raises(InvalidEmail) as caught:
        MailMessage(address, "Hi", "text").to_email("noreply@example.com")
    with pytest.raises(InvalidEmail):
        MailMessage("alice@example.com", "Hi", "text").to_email(address)
    with pytest.raises(InvalidEmail):
        wire_address(address)
    assert not address or address not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("alice@example.com", "alice@example.com"),
        ("a.b+c@Example.COM", "a.b+c@Example.COM"),
        ("o'hara@example.com", "o'hara@example.com"),
        ("kunde@bücher.example", "kunde@xn--bcher-kva.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_domains_travel_as_a_labels(address, wire):
    assert wire_address(address) == wire
    mail = MailMessage(address, "Hi", "text").to_email(address, "Zoë")
    raw = mail.as_bytes()
    assert f"To: {wire}\r\n".encode() in raw
    parsed = email.message_from_string(raw.decode(), policy=email.policy.default)
    assert parsed["From"].addresses[0].display_name == "Zoë"


def test_a_mail_says_when_it_was_made_and_that_a_machine_made_it():
    mail = MailMessage("alice@example.com", "Hi", "text", "<p>text</p>").to_email("noreply@bücher.example")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.tzinfo is not None
    assert mail["Message-ID"].endswith("@xn--bcher-kva.example>")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_a_repeated_attempt_keeps_its_message_id_and_another_mail_has_another():
    first, second = (MailMessage("alice@example.com", "Hi", "text") for _ in range(2))
    ids = [mail.to_email("noreply@example.com")["Message-ID"] for mail in (first, first, second)]
    assert ids[0] == ids[1] != ids[2]
    assert first == second


def test_the_name_of_the_mail_goes_before_that_of_the_transport():
    mail = MailMessage("alice@example.com", "Hi", "text", sender_name="Acme")
    assert mail.to_email("noreply@example.com", "Other")["From"] == "Acme <noreply@example.com>"


def test_repr_shows_no_content():
    mail = MailMessage("alice@example.com", "Hi", "text s3cr3t", "<p>s3cr3t</p>")
    assert "s3cr3t" not in repr(mail)
    assert mail.key not in repr(mail)
