"""How Amazon's refusals and silences are told, shown by SNS."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from regstack.config.schema import SmsConfig
from regstack.errors import DeliveryError
from regstack.sms.service import SmsMessage
from regstack.sms.sns import SnsSmsService
from tests.servers.http_stand_in import Answer, standing_in
from tests.unit.conftest import AWS_SECRET

pytestmark = pytest.mark.anyio

TEXT = SmsMessage("+4930123456", "your code is 987654")


def refusal(status: int, code: str = "") -> Answer:
    body = f"""<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>
        <Code>{code}</Code><Message>no text to {TEXT.to} with {TEXT.text}</Message></Error></ErrorResponse>"""
    return Answer(status, body.encode())


async def failure(service: SnsSmsService) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await service.send(TEXT)
    await service.aclose()
    shown = f"{caught.value!r}{caught.value.__cause__!r}"
    for secret in (TEXT.to, "987654", AWS_SECRET):
        assert secret not in shown
    return caught.value


@pytest.mark.parametrize(
    ("answer", "told", "permanent"),
    [
        (refusal(400, "InvalidParameter"), "answered 400 InvalidParameter", True),
        (refusal(404, "NotFound"), "answered 404 NotFound", True),
        (refusal(403, "AuthorizationError"), "answered 403 AuthorizationError; check the credentials", True),
        (refusal(403, "InvalidClientTokenId"), "answered 403 InvalidClientTokenId; check", True),
        (refusal(400, "Throttling"), "answered 400 Throttling", False),
        (refusal(429, "ThrottledException"), "answered 429 ThrottledException", False),
        (refusal(500, "InternalError"), "answered 500 InternalError", False),
        (refusal(503, "ServiceUnavailable"), "answered 503 ServiceUnavailable", False),
        (refusal(400, f"a code that quotes {TEXT.text}"), "answered 400", True),
        (Answer(502, b"<html>no gateway</html>"), "answered 502", False),
        (Answer(400, b"not XML"), "does not speak as expected", False),
    ],
)
async def test_a_refusal_is_told_by_its_code_and_asked_for_once(amazon, answer, told, permanent):
    async with amazon() as server:
        server.answer = answer
        error = await failure(SnsSmsService(SmsConfig()))
    assert str(error).startswith(f"Amazon SNS in eu-west-1 {told}")
    assert error.permanent is permanent
    assert len(server.asked) == 1


async def test_a_redirect_is_not_followed(amazon):
    async with amazon() as server, standing_in() as elsewhere:
        server.answer = Answer(302, refusal(302, "Moved").body, {"Location": f"{elsewhere.url}/"})
        error = await failure(SnsSmsService(SmsConfig()))
    assert "answered 302" in str(error)
    assert (len(server.asked), len(elsewhere.asked)) == (1, 0)


async def test_a_dead_server_is_no_permanent_failure(amazon, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and not listening
        async with amazon():
            monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", f"http://127.0.0.1:{unused.getsockname()[1]}")
            error = await failure(SnsSmsService(SmsConfig()))
    assert "cannot be reached, or broke off (EndpointConnectionError)" in str(error)
    assert not error.permanent


async def test_a_server_that_says_nothing_costs_no_more_than_the_deadline(amazon):
    async with amazon() as server:
        server.answers += [Answer(400)]
        server.answer = Answer(hang=True)
        service = SnsSmsService(SmsConfig(timeout_seconds=60))
        with pytest.raises(DeliveryError):
            await service.send(TEXT)  # makes the client, which takes its time
        service._client._seconds = 0.5
        error = await failure(service)
    assert "took longer than 0.5 s" in str(error)
    assert not error.permanent


async def test_a_call_that_is_given_up_before_it_begins_is_not_made(amazon):
    async with amazon() as server:
        service = SnsSmsService(SmsConfig(timeout_seconds=0.01))
        with service._client._making:
            error = await failure(service)
        await asyncio.to_thread(service._client._threads.shutdown)
    assert "took longer than 0.01 s" in str(error)
    assert not server.asked


async def test_missing_credentials_are_told_as_what_they_are(amazon, monkeypatch):
    async with amazon() as server:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        error = await failure(SnsSmsService(SmsConfig()))
    assert "(NoCredentialsError); check credentials, profile and region" in str(error)
    assert not error.permanent
    assert not server.asked


async def test_the_event_loop_goes_on_while_amazon_is_slow(amazon):
    async with amazon() as server:
        server.answer = Answer(hang=True)
        service = SnsSmsService(SmsConfig(timeout_seconds=30))
        waiting = asyncio.create_task(service.send(TEXT))
        async with asyncio.timeout(60):
            while not server.asked:  # noqa: ASYNC110 - a request sets no event
                await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await service.aclose()


async def test_what_others_log_of_amazon_is_left_alone(amazon, caplog):
    caplog.set_level(logging.DEBUG)
    await SnsSmsService(SmsConfig()).aclose()
    logging.getLogger("botocore.endpoint").debug("a request of the host's own")
    assert "a request of the host's own" in caplog.text


def test_one_transport_serves_one_event_loop_after_the_other(amazon):
    service = SnsSmsService(SmsConfig())

    async def once() -> None:
        async with amazon() as server:
            server.answer = Answer(body=b"<PublishResponse><PublishResult/></PublishResponse>")
            service._client._clients.clear()  # the port is another
            await service.send(TEXT)
            assert len(server.asked) == 1

    asyncio.run(once())
    asyncio.run(once())
    asyncio.run(service.aclose())
