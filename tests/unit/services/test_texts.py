from __future__ import annotations

from datetime import timedelta

import pytest

from regstack.config.schema import SmsConfig
from regstack.services.background import BackgroundQueue
from regstack.services.texter import Texter
from regstack.services.texts import Texts
from regstack.sms.null import NullSmsService

pytestmark = pytest.mark.anyio

NUMBER = "+41446681800"


@pytest.mark.parametrize("kind", ["login_code", "phone_code"])
@pytest.mark.parametrize("app_name", ["Acme", "Acme\r\nYou have won"])
async def test_a_text_is_one_line_that_begins_with_the_code(kind: str, app_name: str) -> None:
    service = NullSmsService()
    queue = BackgroundQueue(name="sms", capacity=10)
    texts = Texts(Texter(queue, service, SmsConfig()), app_name)
    getattr(texts, kind)(NUMBER, "482913", timedelta(minutes=5))
    assert service.outbox == []
    assert await queue.join()
    (message,) = service.outbox
    assert message.to == NUMBER
    assert message.text.startswith("482913 is your code to ")
    assert "Acme" in message.text
    assert "Nobody will ask you for it" in message.text
    assert message.text.isprintable()
    assert len(message.text) <= 160
