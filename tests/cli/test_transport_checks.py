"""What `regstack doctor` says of transports, without sending anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from regstack.cli.transport_checks import check_mail, check_texts
from regstack.config.schema import RegStackConfig
from regstack.errors import DeliveryError
from regstack.models.finding import Health
from regstack.plugins.transports import TransportRegistry
from regstack.sms.twilio import TwilioSmsService
from tests.servers.http_stand_in import Answer, standing_in

pytestmark = pytest.mark.anyio


class Passing:
    """Transports that the test made, in place of plugins'."""

    def __init__(self, service: Any) -> None:
        self.service = service

    def create_email_service(self, config: Any) -> Any:
        return self.service

    create_sms_service = create_email_service


def settings(**values: Any) -> RegStackConfig:
    return RegStackConfig(jwt_secret="x" * 32, **values)


async def texts(service: Any = None, **values: Any) -> list[tuple[str, str]]:
    transports: Any = TransportRegistry.discover() if service is None else Passing(service)
    found = await check_texts(settings(**values), transports)
    assert all(each.name == "sms" for each in found)
    assert all(each.next_step for each in found if each.status is Health.WARNING)
    return [(str(each.status), each.detail) for each in found]


@pytest.mark.parametrize(
    ("account", "status", "detail"),
    [
        (Answer(200, json.dumps({"status": "active"}).encode()), "ok", "the account is active"),
        (
            Answer(401, b'{"code": 20003}'),
            "failed",
            "answered 401, error 20003; check sms.twilio_account_sid",
        ),
    ],
)
async def test_the_transport_of_texts_is_asked_for_a_sign_of_life(
    account: Answer, status: str, detail: str
) -> None:
    sms = {"backend": "twilio", "from_number": "+15005550006", "twilio_account_sid": "AC1"}
    config = settings(sms={**sms, "twilio_auth_token": "s3cret"})
    async with standing_in() as server:
        server.answer = account
        service = TwilioSmsService(config.sms, api=server.url)
        ((told, line),) = await texts(service, sms={**sms, "twilio_auth_token": "s3cret"})
    assert told == status
    assert detail in line
    assert [asked.method for asked in server.asked] == ["GET"]


async def test_texts_that_nobody_asks_for_get_no_line() -> None:
    assert await texts() == []


async def test_texts_that_stay_in_memory_are_warned_of_where_sign_ins_need_them() -> None:
    ((status, detail),) = await texts(enable_sms_2fa=True)
    assert (status, "kept in memory" in detail) == ("warning", True)


async def test_a_setting_that_is_missing_and_a_transport_that_is_not_there_are_failures() -> None:
    ((status, detail),) = await texts(sms={"backend": "twilio"})
    assert (status, "needs sms.twilio_account_sid" in detail) == ("failed", True)
    ((status, detail),) = await texts(sms={"backend": "pigeon"})
    assert (status, "no installed transport takes sms.backend" in detail) == ("failed", True)


async def test_a_transport_of_others_is_tried_where_it_can_be_and_closed() -> None:
    class Sample:
        closed = 0

        async def send(self, message: Any) -> None:
            raise AssertionError("doctor sends nothing")

        async def aclose(self) -> None:
            self.closed += 1

    class Telling(Sample):
        def __init__(self, answer: str | Exception) -> None:
            self.answer = answer

        async def probe(self) -> str:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    told = []
    for service in (
        Sample(),
        Telling("three pigeons\nare home"),
        Telling(DeliveryError("no pigeon is home")),
        Telling(ValueError("s3cret")),
    ):
        finding = await check_mail(settings(email={"backend": "pigeon"}).email, Passing(service))  # type: ignore[arg-type]
        told.append((str(finding.status), finding.detail))
        assert service.closed == 1
    assert told == [
        ("ok", "pigeon: it cannot be tried without sending"),
        ("ok", "three pigeons are home"),
        ("failed", "no pigeon is home"),
        ("failed", "pigeon: ValueError"),
    ]
