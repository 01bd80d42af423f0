from __future__ import annotations

import pytest

from regstack.sms.null import LONGEST_OUTBOX, NullSmsService
from regstack.sms.service import SmsMessage

pytestmark = pytest.mark.anyio


async def test_messages_stay_in_the_outbox():
    service = NullSmsService()
    message = SmsMessage("+4930123456", "your code is 123456")
    await service.send(message)
    assert service.outbox == [message]
    assert "123456" not in repr(message).replace(message.to, "")


async def test_the_outbox_keeps_the_newest_messages():
    service = NullSmsService()
    for number in range(LONGEST_OUTBOX + 5):
        await service.send(SmsMessage("+4930123456", str(number)))
    assert len(service.outbox) == LONGEST_OUTBOX
    assert service.outbox[-1].text == str(LONGEST_OUTBOX + 4)
