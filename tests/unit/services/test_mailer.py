from __future__ import annotations

import asyncio
import io
import logging
from typing import TYPE_CHECKING

import pytest
import tenacity

from regstack.config.schema import EmailConfig
from regstack.email.console import ConsoleEmailService
from regstack.email.message import MailMessage
from regstack.email.smtp import SmtpEmailService
from regstack.errors import DeliveryError, InvalidEmail
from regstack.services.background import BackgroundQueue
from regstack.services.courier import backoff
from regstack.services.mailer import Mailer

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

AT_ONCE = tenacity.wait_none()
LINK = "https://app.example.com/account/verify?token=s3cr3t"
MAIL = MailMessage("alice@example.com", "Confirm", f"{LINK}\n", f'<a href="{LINK}">Confirm</a>\n')


@pytest.fixture
def queue() -> BackgroundQueue:
    return BackgroundQueue(name="mail", capacity=10, workers=4)


@pytest.fixture
def log(caplog) -> Callable[[], str]:
    caplog.set_level(logging.DEBUG)

    def read() -> str:
        """All that the client's side logged, after a check that it holds no secret and no address."""
        records = [each for each in caplog.records if not each.name.startswith(("mail.", "asyncio"))]
        text = "".join(f"{record.getMessage()}\n{record.exc_info or ''}" for record in records)
        for secret in ("s3cr3t", "alice", "/account/verify"):
            assert secret not in text
        return text

    return read


class Failing:
    """A transport that raises each of `errors` once and then keeps what comes."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tried = 0
        self.outbox: list[MailMessage] = []

    async def send(self, message: MailMessage) -> None:
        self.tried += 1
        if self.errors:
            raise self.errors.pop(0)
        self.outbox.append(message)


async def test_a_mail_is_composed_and_sent_after_post_has_returned(queue):
    service, composed = ConsoleEmailService(stream=io.StringIO()), []

    def make() -> MailMessage:
        composed.append(True)
        return MAIL

    mailer = Mailer(queue, service, EmailConfig())
    assert mailer.post(make, kind="verification")
    assert not composed
    assert await queue.join(5)
    assert service.outbox == [MAIL]
    assert (mailer.sent, mailer.undeliverable) == (1, 0)


async def test_what_fails_for_the_moment_is_tried_again(queue, log):
    service = Failing(DeliveryError("busy"), OSError("gone"), TimeoutError(), DeliveryError("busy"))
    mailer = Mailer(queue, service, EmailConfig(), wait=AT_ONCE)
    mailer.post(lambda: MAIL, kind="verification")
    assert await queue.join(5)
    assert service.outbox == [MAIL]
    assert (service.tried, mailer.sent, mailer.undeliverable) == (5, 1, 0)
    assert log() == ""


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_mail_is_given_up_after_its_attempts_and_logged_without_secrets(queue, log, attempts):
    service = Failing(*[OSError(f"cannot send {LINK} to alice@example.com")] * 9)
    mailer = Mailer(queue, service, EmailConfig(max_attempts=attempts), wait=AT_ONCE)
    mailer.post(lambda: MAIL, kind="verification")
    assert await queue.join(5)
    assert (service.tried, mailer.sent, mailer.undeliverable) == (attempts, 0, 1)
    assert (
        f"mail verification to an address at example.com was not delivered, attempts {attempts}: OSError\n"
        in log()
    )


@pytest.mark.parametrize(
    "error", [DeliveryError("refused\r\nfor good", permanent=True), InvalidEmail("alice")]
)
async def test_what_cannot_succeed_is_not_tried_again(queue, log, error):
    service = Failing(error)
    mailer = Mailer(queue, service, EmailConfig(), wait=AT_ONCE)
    mailer.post(lambda: MAIL, kind="verification")
    assert await queue.join(5)
    assert (service.tried, mailer.sent, mailer.undeliverable) == (1, 0, 1)
    reason = "DeliveryError: refused for good" if isinstance(error, DeliveryError) else "InvalidEmail"
    assert f"attempts 1: {reason}\n" in log()


async def test_a_mail_that_cannot_be_composed_is_counted_and_stops_nothing(queue, log):
    def make() -> MailMessage:
        raise KeyError(LINK)

    service = ConsoleEmailService(stream=io.StringIO())
    mailer = Mailer(queue, service, EmailConfig())
    mailer.post(make, kind="verification")
    mailer.post(lambda: MAIL, kind="verification")
    assert await queue.join(5)
    assert (mailer.sent, mailer.undeliverable) == (1, 1)
    assert "mail verification cannot be composed: KeyError\n" in log()


async def test_a_mail_that_waits_for_its_next_attempt_holds_up_no_other(queue):
    class OnlyTo(Failing):
        async def send(self, message: MailMessage) -> None:
            if message.to.startswith("slow"):
                self.tried += 1
                raise DeliveryError("greylisted")
            self.outbox.append(message)
            arrived.set()

    arrived, service = asyncio.Event(), OnlyTo()
    mailer = Mailer(queue, service, EmailConfig(), wait=tenacity.wait_fixed(600))
    for number in range(3):
        mailer.post(lambda number=number: MailMessage(f"slow{number}@example.com", "Hi", "text"), kind="a")
    mailer.post(lambda: MAIL, kind="b")
    async with asyncio.timeout(60):
        await arrived.wait()
    assert service.outbox == [MAIL]
    assert service.tried == 3
    await queue.aclose(seconds=0)
    assert queue.lost == 3


async def test_mails_under_way_at_the_same_time_count_their_own_attempts(queue):
    service = Failing(*[DeliveryError("busy")] * 12)
    mailer = Mailer(queue, service, EmailConfig(max_attempts=3), wait=AT_ONCE)
    for _ in range(4):
        mailer.post(lambda: MAIL, kind="verification")
    assert await queue.join(5)
    assert (service.tried, mailer.sent, mailer.undeliverable) == (12, 0, 4)


def test_pauses_grow_threefold_with_some_chance_and_have_a_limit():
    wait = backoff()
    state = tenacity.RetryCallState(tenacity.AsyncRetrying(), None, (), {})
    for attempt, least in enumerate([1, 3, 9, 27, 60, 60], start=1):
        state.attempt_number = attempt
        pauses = {wait(state) for _ in range(20)}
        assert all(least <= pause <= least + 1 for pause in pauses)
        assert len(pauses) > 1


async def test_a_full_queue_drops_the_mail_and_says_so_to_the_log_alone(log):
    queue = BackgroundQueue(name="mail", capacity=1)
    mailer = Mailer(queue, ConsoleEmailService(stream=io.StringIO()), EmailConfig())
    assert mailer.post(lambda: MAIL, kind="verification")
    assert not mailer.post(lambda: MAIL, kind="verification")
    assert "queue mail is full: job mail verification was dropped (1 so far)" in log()
    assert await queue.join(5)


async def test_a_transport_that_is_replaced_carries_the_mails_that_wait(queue):
    first, second = Failing(), Failing()
    mailer = Mailer(queue, first, EmailConfig())
    mailer.post(lambda: MAIL, kind="verification")
    mailer.service = second
    assert await queue.join(5)
    assert (len(first.outbox), len(second.outbox)) == (0, 1)


async def test_closing_closes_a_transport_that_can_be_closed(queue):
    class Closable(Failing):
        closed = 0

        async def aclose(self) -> None:
            self.closed += 1

    service = Closable()
    await Mailer(queue, service, EmailConfig()).aclose()
    assert service.closed == 1
    await Mailer(queue, Failing(), EmailConfig()).aclose()


async def test_over_smtp_a_4xx_reply_is_tried_again_with_the_same_message_id(queue, smtp_sink, log):
    async with smtp_sink("starttls") as sink:
        sink.data_replies += ["451 4.7.1 alice@example.com is greylisted", "421 4.3.0 try later"]
        sink.rcpt_replies += ["450 4.2.1 <alice@example.com> busy"]
        mailer = Mailer(queue, SmtpEmailService(sink.config, tls_context=sink.tls), sink.config, wait=AT_ONCE)
        mailer.post(lambda: MAIL, kind="verification")
        assert await queue.join(10)
    assert (sink.offered, mailer.sent, mailer.undeliverable) == (4, 1, 0)
    assert MAIL.key.encode() in sink.mails[0].content
    log()


async def test_over_smtp_a_5xx_reply_is_final(queue, smtp_sink, log):
    async with smtp_sink() as sink:
        sink.data_replies.append(f"554 5.7.1 {LINK} is blocked for alice@example.com")
        mailer = Mailer(queue, SmtpEmailService(sink.config), sink.config, wait=AT_ONCE)
        mailer.post(lambda: MAIL, kind="verification")
        assert await queue.join(10)
    assert (sink.offered, mailer.sent, mailer.undeliverable) == (1, 0, 1)
    assert "answered 554 5.7.1\n" in log()


async def test_a_dead_or_silent_server_costs_the_caller_nothing(queue, smtp_script, log):
    released, connected = asyncio.Event(), asyncio.Event()

    async def silent(reader, writer) -> None:
        connected.set()
        await released.wait()

    async with smtp_script(silent, smtp_timeout_seconds=600) as config:
        mailer = Mailer(queue, SmtpEmailService(config), config, wait=AT_ONCE)
        for _ in range(4):
            assert mailer.post(lambda: MAIL, kind="verification")
        assert not connected.is_set()
        async with asyncio.timeout(60):
            await connected.wait()
        await queue.aclose(seconds=0)
        released.set()
    assert queue.lost == 4
    assert "queue mail: closed with 4 jobs undone: mail verification" in log()


def test_a_mail_that_a_dying_loop_interrupts_is_sent_from_the_next(queue):
    class Slow(Failing):
        async def send(self, message: MailMessage) -> None:
            if not self.tried:
                self.tried += 1
                await asyncio.Event().wait()
            await super().send(message)

    service = Slow()
    mailer = Mailer(queue, service, EmailConfig())

    async def request() -> None:
        mailer.post(lambda: MAIL, kind="verification")
        await asyncio.sleep(0)

    asyncio.run(request())
    assert asyncio.run(queue.join(5))
    assert service.outbox == [MAIL]
