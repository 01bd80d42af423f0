from __future__ import annotations

import logging

import pytest

from regstack.sms.null import LONGEST_OUTBOX, NullSmsService
from regstack.sms.service import SmsMessage

pytestmark = pytest.mark.anyio

TEXT = SmsMessage("+4930123456", "your code\nis 987654")


async def test_messages_stay_in_the_outbox():
    service = NullSmsService()
    await service.send(TEXT)
    assert service.outbox == [TEXT]
    assert "987654" not in repr(TEXT)


async def test_the_outbox_keeps_the_newest_messages():
    service = NullSmsService()
    for number in range(LONGEST_OUTBOX + 5):
        await service.send(SmsMessage("+4930123456", str(number)))
    assert len(service.outbox) == LONGEST_OUTBOX
    assert service.outbox[-1].text == str(LONGEST_OUTBOX + 4)


async def test_the_log_says_that_a_message_was_kept_and_shows_nothing_of_it(caplog):
    caplog.set_level(logging.DEBUG)
    await NullSmsService().send(TEXT)
    assert "a text message was kept, not sent" in caplog.text
    assert "987654" not in caplog.text
    assert TEXT.to not in caplog.text


async def test_the_log_shows_the_message_in_one_line_where_that_is_asked_for(caplog):
    caplog.set_level(logging.INFO)
    await NullSmsService(log_bodies=True).send(TEXT)
    assert [record.getMessage() for record in caplog.records] == [
        "text message to +4930123456 kept: your code is 987654"
    ]
