from __future__ import annotations

import base64
import json
import logging
import socket
import sys

import pytest

from regstack.config.schema import SmsConfig
from regstack.errors import ConfigurationError, DeliveryError
from regstack.sms.service import SmsMessage
from regstack.sms.twilio import API, TwilioSmsService
from tests.servers.http_stand_in import Answer, standing_in

pytestmark = pytest.mark.anyio

SID, TOKEN = "ACXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "5ecre7-t0ken"
TEXT = SmsMessage("+4930123456", "Zoë's code: 987654 & nothing else")
CREATED = Answer(201, b'{"sid": "SM1", "status": "queued"}')


def config(**values) -> SmsConfig:
    values = {
        "backend": "twilio",
        "from_number": "+15005550006",
        "twilio_account_sid": SID,
        "twilio_auth_token": TOKEN,
        **values,
    }
    return SmsConfig(**values)


async def failure(service: TwilioSmsService) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await service.send(TEXT)
    shown = f"{caught.value!r}{caught.value.__cause__!r}{service._config!r}"
    for secret in (TEXT.to, "987654", TOKEN):
        assert secret not in shown
    return caught.value


def refusal(status: int, code: object) -> Answer:
    body = {"status": status, "code": code, "message": f"{TEXT.to} cannot be sent {TEXT.text}"}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


async def test_a_message_goes_over_the_wire_as_twilio_documents_it():
    async with standing_in() as server:
        server.answer = CREATED
        await TwilioSmsService(config(), api=server.url).send(TEXT)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{SID}/Messages.json")
    assert asked.form == {"To": TEXT.to, "From": "+15005550006", "Body": TEXT.text}
    scheme, _, credentials = asked.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"{SID}:{TOKEN}")


def test_twilio_is_asked_where_it_is_and_encrypted():
    assert API == "https://api.twilio.com"
    assert TwilioSmsService(config())._account.startswith(f"{API}/2010-04-01/Accounts/")


async def test_the_account_cannot_lead_to_another_path():
    async with standing_in() as server:
        await TwilioSmsService(config(twilio_account_sid="AC/../x?y#z"), api=server.url).send(TEXT)
    assert server.asked[0].path == "/2010-04-01/Accounts/AC%2F..%2Fx%3Fy%23z/Messages.json"


@pytest.mark.parametrize(
    ("answer", "told", "permanent"),
    [
        (refusal(400, 21211), "Twilio answered 400, error 21211", True),
        (refusal(404, 20404), "Twilio answered 404, error 20404", True),
        (refusal(401, 20003), "Twilio answered 401, error 20003; check sms.twilio_account_sid", True),
        (refusal(429, 20429), "Twilio answered 429, error 20429", False),
        (refusal(400, TEXT.text), "Twilio answered 400", True),
        (refusal(500, 20500), "Twilio answered 500, error 20500", False),
        (Answer(503, b"<html>"), "Twilio answered 503", False),
        (Answer(400, b"[]"), "Twilio answered 400", True),
        (Answer(400, b'{"code": 21211, "message": "' + b"x" * 100_000 + b'"}'), "Twilio answered 400", True),
    ],
)
async def test_a_refusal_is_told_by_its_numbers_alone(answer, told, permanent):
    async with standing_in() as server:
        server.answer = answer
        error = await failure(TwilioSmsService(config(), api=server.url))
    assert str(error).startswith(told)
    assert len(str(error)) < 120
    assert error.permanent is permanent
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status):
    async with standing_in() as server, standing_in() as elsewhere:
        server.answer = Answer(status, b"", {"Location": f"{elsewhere.url}/"})
        error = await failure(TwilioSmsService(config(), api=server.url))
    assert str(error) == f"Twilio answered {status}"
    assert not elsewhere.asked


async def test_a_certificate_that_is_not_trusted_is_refused(server_tls):
    async with standing_in(server_tls) as server:
        error = await failure(TwilioSmsService(config(), api=server.url))
    assert "cannot be reached" in str(error)
    assert not error.permanent
    assert not server.asked


async def test_a_dead_server_is_no_permanent_failure():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and not listening
        api = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = await failure(TwilioSmsService(config(), api=api))
    assert "cannot be reached, or broke off (ConnectError)" in str(error)
    assert not error.permanent


async def test_a_server_that_says_nothing_costs_no_more_than_the_deadline():
    async with standing_in() as server:
        server.answer = Answer(hang=True)
        error = await failure(TwilioSmsService(config(timeout_seconds=0.05), api=server.url))
    assert str(error) == "Twilio took longer than 0.05 s"
    assert not error.permanent


async def test_a_server_that_breaks_off_is_no_permanent_failure():
    async with standing_in() as server:
        server.answer = Answer(201, b"{", {"Content-Length": "100"})
        error = await failure(TwilioSmsService(config(), api=server.url))
    assert "broke off (RemoteProtocolError)" in str(error)
    assert not error.permanent


async def test_the_log_at_debug_holds_no_secret(caplog):
    caplog.set_level(logging.DEBUG)
    async with standing_in() as server:
        server.answers += [refusal(400, 21211), CREATED]
        service = TwilioSmsService(config(), api=server.url)
        await failure(service)
        await service.send(TEXT)
    basic = server.asked[0].headers["authorization"].partition(" ")[2]
    for secret in (TOKEN, basic, TEXT.to, "987654"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("status", "told"),
    [("active", ""), ("suspended", "is suspended"), ("closed", "is closed"), ("\x1b[31m", "is not active")],
)
async def test_a_probe_looks_at_the_account_and_sends_nothing(status, told):
    async with standing_in() as server:
        server.answer = Answer(200, json.dumps({"status": status}).encode())
        service = TwilioSmsService(config(), api=server.url)
        if told:
            with pytest.raises(DeliveryError, match=told):
                await service.probe()
        else:
            assert await service.probe() == "Twilio: the account is active"
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("GET", f"/2010-04-01/Accounts/{SID}.json", b"")


async def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(ConfigurationError, match=r'pip install "regstack\[twilio\]>=1'):
        TwilioSmsService(config())


@pytest.mark.parametrize("name", ["twilio_account_sid", "twilio_auth_token", "from_number"])
def test_a_setting_that_is_missing_is_named(name):
    with pytest.raises(ConfigurationError, match=rf"needs sms\.{name}"):
        TwilioSmsService(config(**{name: None}))
