"""What texts have in common with mails is tested with mails; here is what is their own."""

from __future__ import annotations

import logging

import pytest
import tenacity

from regstack.config.schema import SmsConfig
from regstack.errors import DeliveryError
from regstack.services.background import BackgroundQueue
from regstack.services.texter import Texter
from regstack.sms.null import NullSmsService
from regstack.sms.service import SmsMessage
from regstack.sms.twilio import TwilioSmsService
from tests.servers.http_stand_in import Answer, standing_in

pytestmark = pytest.mark.anyio

AT_ONCE = tenacity.wait_none()
TEXT = SmsMessage("+4930123456", "your code is 987654")


@pytest.fixture
def queue() -> BackgroundQueue:
    return BackgroundQueue(name="sms", capacity=10, workers=4)


async def test_a_text_is_composed_and_sent_after_post_has_returned(queue):
    service = NullSmsService()
    texter = Texter(queue, service, SmsConfig())
    assert texter.post(lambda: TEXT, kind="login_code")
    assert not service.outbox
    assert await queue.join(5)
    assert service.outbox == [TEXT]
    assert (texter.sent, texter.undeliverable) == (1, 0)


async def test_a_text_that_is_given_up_is_logged_by_its_country_code_alone(queue, caplog):
    class Failing(NullSmsService):
        async def send(self, message):
            raise DeliveryError("the network is out")

    caplog.set_level(logging.DEBUG)
    texter = Texter(queue, Failing(), SmsConfig(), wait=AT_ONCE)
    texter.post(lambda: TEXT, kind="login_code")
    assert await queue.join(5)
    assert (texter.sent, texter.undeliverable) == (0, 1)
    assert caplog.messages == [
        "text login_code to a number that begins with +49 was not delivered, attempts 3: "
        "DeliveryError: the network is out"
    ]


async def test_over_http_a_busy_provider_is_asked_again_and_a_refusal_is_final(queue, caplog):
    caplog.set_level(logging.DEBUG)
    settings = SmsConfig(
        from_number="+15005550006", twilio_account_sid="AC1", twilio_auth_token="5ecre7-t0ken"
    )
    async with standing_in() as server:
        server.answers += [Answer(429), Answer(503), Answer(201), Answer(400)]
        texter = Texter(queue, TwilioSmsService(settings, api=server.url), settings, wait=AT_ONCE)
        for _ in range(2):
            texter.post(lambda: TEXT, kind="login_code")
            assert await queue.join(10)
    assert (len(server.asked), texter.sent, texter.undeliverable) == (4, 1, 1)
    for secret in (TEXT.to, "987654", "5ecre7-t0ken"):
        assert secret not in caplog.text
