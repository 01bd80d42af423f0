from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regstack.errors import DeliveryError
from regstack.services.background import BackgroundQueue
from regstack.services.texts import Texts
from regstack.sms.null import NullSmsService

pytestmark = pytest.mark.anyio

NUMBER = "+41446681800"


def make(service: Any = None, app_name: str = "Acme") -> tuple[Texts, BackgroundQueue]:
    queue = BackgroundQueue(name="background", capacity=10)
    return Texts(queue, service or NullSmsService(), app_name), queue


@pytest.mark.parametrize("kind", ["login_code", "phone_code"])
@pytest.mark.parametrize("app_name", ["Acme", "Acme\r\nYou have won"])
async def test_a_text_is_one_line_that_begins_with_the_code(kind: str, app_name: str) -> None:
    service = NullSmsService()
    texts, queue = make(service, app_name)
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


async def test_texts_that_wait_go_through_a_transport_that_was_replaced() -> None:
    texts, queue = make()
    texts.login_code(NUMBER, "482913", timedelta(minutes=5))
    texts.service = service = NullSmsService()
    assert await queue.join()
    assert len(service.outbox) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            DeliveryError("the number is unreachable\r\nfake log line"),
            "the number is unreachable fake log line",
        ),
        (ValueError(f"{NUMBER} 482913"), "ValueError"),
    ],
)
async def test_what_was_not_delivered_is_logged_without_secrets(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def send(self, message: Any) -> None:
            raise error

    texts, queue = make(Broken())
    texts.login_code(NUMBER, "482913", timedelta(minutes=5))
    assert await queue.join()
    (record,) = caplog.records
    assert told in record.message
    assert NUMBER not in caplog.text
    assert "482913" not in caplog.text
