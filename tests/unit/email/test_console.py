from __future__ import annotations

import io

import pytest

from regstack.email.console import LONGEST_OUTBOX, ConsoleEmailService
from regstack.email.message import MailMessage

pytestmark = pytest.mark.anyio

MAIL = MailMessage("alice@example.com", "Confirm", "Hello,\n\nhttps://app.example.com/?token=s3cr3t\n")


async def test_a_mail_is_kept_and_reported_in_one_line_without_its_link():
    stream = io.StringIO()
    service = ConsoleEmailService(stream=stream)
    await service.send(MAIL)
    assert service.outbox == [MAIL]
    await service.send(MAIL)
    report, hint, second = stream.getvalue().splitlines()
    assert report == second == "mail to alice@example.com: Confirm"
    assert "email.log_bodies = true" in hint


async def test_whole_mails_are_printed_on_request():
    stream = io.StringIO()
    await ConsoleEmailService(log_bodies=True, stream=stream).send(MAIL)
    assert stream.getvalue() == (
        "mail to alice@example.com: Confirm\n    Hello,\n    \n    https://app.example.com/?token=s3cr3t\n"
    )


async def test_without_a_stream_it_prints_to_the_error_stream_of_the_moment(capsys):
    await ConsoleEmailService().send(MAIL)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mail to alice@example.com: Confirm\n")


async def test_a_hostile_subject_writes_no_second_line():
    stream = io.StringIO()
    await ConsoleEmailService(stream=stream).send(MailMessage("a@b.example", "x\r\nmail to root\x1b[2J", "t"))
    assert stream.getvalue().splitlines()[0] == "mail to a@b.example: x mail to root [2J"


async def test_the_outbox_keeps_the_newest_mails():
    service = ConsoleEmailService(stream=io.StringIO())
    for number in range(LONGEST_OUTBOX + 5):
        await service.send(MailMessage("a@b.example", str(number), "text"))
    assert len(service.outbox) == LONGEST_OUTBOX
    assert (service.outbox[0].subject, service.outbox[-1].subject) == ("5", str(LONGEST_OUTBOX + 4))
