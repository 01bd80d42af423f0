from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import socket
import sys

import pytest

from regstack.config.schema import EmailConfig
from regstack.email.message import MailMessage
from regstack.email.smtp import SmtpEmailService
from regstack.errors import ConfigurationError, DeliveryError

pytestmark = pytest.mark.anyio

LINK = "https://app.example.com/account/verify?token=s3cr3t-token"
MAIL = MailMessage(
    to="alice@example.com",
    subject="Confirm your email address",
    text=f"Hello Zoë,\n\n{LINK}\n.\n..\nFrom here\n" + "long " * 300 + "\n",
    html=f'<p><a href="{LINK}">Confirm</a></p>\n',
    sender_name="Acme",
)


def parsed(envelope) -> email.message.EmailMessage:
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


@pytest.mark.parametrize("kind", ["plain", "starttls", "implicit", "login"])
async def test_a_mail_arrives_whole_over_every_kind_of_connection(smtp_sink, kind):
    async with smtp_sink(kind) as sink:
        service = SmtpEmailService(sink.config, tls_context=sink.tls, implicit_tls=kind == "implicit")
        await service.send(MAIL)
        report = await service.probe()
    (envelope,) = sink.mails
    assert envelope.mail_from == "noreply@example.com"
    assert envelope.rcpt_tos == ["alice@example.com"]
    assert sink.encrypted == [kind != "plain"]
    mail = parsed(envelope)
    assert mail["From"] == "Acme <noreply@example.com>"
    assert mail["Subject"] == "Confirm your email address"
    assert mail.get_body(("plain",)).get_content().splitlines() == MAIL.text.splitlines()
    assert mail.get_body(("html",)).get_content().splitlines() == MAIL.html.splitlines()
    assert ("TLSv1" in report) == (kind != "plain")
    assert ("not encrypted" in report) == (kind == "plain")
    assert report.endswith("logged in" if kind == "login" else "no login")


async def test_the_port_465_means_tls_from_the_start():
    service = SmtpEmailService(EmailConfig(backend="smtp", smtp_host="127.0.0.1", smtp_port=465))
    client = service._client()
    assert client.use_tls
    assert not client._start_tls_on_connect


async def test_nothing_is_sent_in_the_clear_to_a_server_without_starttls(smtp_sink):
    async with smtp_sink("plain", smtp_starttls=True) as sink:
        with pytest.raises(DeliveryError, match=r"does not speak as expected|answered") as caught:
            await SmtpEmailService(sink.config, tls_context=sink.tls).send(MAIL)
    assert not sink.mails
    assert sink.offered == 0
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
async def test_a_certificate_that_is_not_trusted_is_refused(smtp_sink, kind):
    async with smtp_sink(kind) as sink:
        service = SmtpEmailService(sink.config, implicit_tls=kind == "implicit")
        with pytest.raises(
            DeliveryError, match=r"certificate of the SMTP server .* is not trusted"
        ) as caught:
            await service.send(MAIL)
    assert not caught.value.permanent
    assert not sink.mails


async def test_wrong_credentials_are_permanent_and_shown_to_nobody(smtp_sink, caplog):
    caplog.set_level(logging.DEBUG)
    async with smtp_sink("login", smtp_password="wr0ng-pass") as sink:
        with pytest.raises(
            DeliveryError, match=r"answered 535 5\.7\.8; check email\.smtp_username"
        ) as caught:
            await SmtpEmailService(sink.config, tls_context=sink.tls).probe()
    assert caught.value.permanent
    shown = f"{caught.value}{caught.value!r}{caplog.text}{sink.config!r}"
    assert "wr0ng-pass" not in shown
    assert "mailer" not in str(caught.value)


async def test_credentials_without_encryption_are_warned_of(smtp_sink, caplog):
    async with smtp_sink("plain", smtp_username="mailer", smtp_password="s3cret") as sink:
        SmtpEmailService(sink.config)
    assert "unencrypted" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("step", "reply", "status", "permanent"),
    [
        (
            "data_replies",
            "451 4.7.1 greylisted, see https://app.example.com/?token=s3cr3t",
            "451 4.7.1",
            False,
        ),
        ("data_replies", "554 5.7.1 the link token=s3cr3t is blocked", "554 5.7.1", True),
        ("data_replies", "550 no such luck", "550", True),
        ("rcpt_replies", "450 4.2.1 <alice@example.com> is busy", "450 4.2.1", False),
        ("rcpt_replies", "550 5.1.1 <alice@example.com> is unknown here", "550 5.1.1", True),
    ],
)
async def test_a_refusal_is_told_by_its_code_alone(smtp_sink, step, reply, status, permanent):
    async with smtp_sink() as sink:
        getattr(sink, step).append(reply)
        service = SmtpEmailService(sink.config)
        with pytest.raises(DeliveryError) as caught:
            await service.send(MAIL)
        assert str(caught.value) == f"the SMTP server 127.0.0.1:{sink.config.smtp_port} answered {status}"
        assert caught.value.permanent is permanent
        await service.send(MAIL)
    assert len(sink.mails) == 1


async def test_a_dead_server_is_no_permanent_failure():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and not listening
        config = EmailConfig(backend="smtp", smtp_host="127.0.0.1", smtp_port=unused.getsockname()[1])
        with pytest.raises(DeliveryError, match="cannot be reached") as caught:
            await SmtpEmailService(config).send(MAIL)
    assert not caught.value.permanent


async def test_a_server_that_says_nothing_costs_no_more_than_the_deadline(smtp_script):
    released = asyncio.Event()

    async def silent(reader, writer) -> None:
        await released.wait()

    async with smtp_script(silent, smtp_timeout_seconds=0.05) as config:
        with pytest.raises(DeliveryError, match=r"took longer than 0\.05 s") as caught:
            await SmtpEmailService(config).send(MAIL)
        released.set()
    assert not caught.value.permanent


async def test_a_server_that_dribbles_costs_no_more_than_the_deadline(smtp_script):
    async def dribbling(reader, writer) -> None:
        while not writer.is_closing():
            writer.write(b"220-not yet\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with smtp_script(dribbling, smtp_timeout_seconds=0.1) as config:
        async with asyncio.timeout(60):
            with pytest.raises(DeliveryError, match="took longer"):
                await SmtpEmailService(config).send(MAIL)


async def test_the_deadline_holds_for_the_conversation_and_not_for_each_reply(smtp_script):
    answered = 0

    async def slow(reader, writer) -> None:
        nonlocal answered
        for reply in (b"220 hi\r\n", *[b"250 ok\r\n"] * 3, b"354 go\r\n"):
            await asyncio.sleep(0.2)
            writer.write(reply)
            answered += 1
            if not await reader.readline():
                return

    async with smtp_script(slow, smtp_timeout_seconds=0.3) as config:
        with pytest.raises(DeliveryError, match="took longer"):
            await SmtpEmailService(config).send(MAIL)
    assert answered <= 2


def scripted(*replies: bytes):
    """A server that greets and gives one reply to each line it reads, then hangs up."""

    async def talk(reader, writer) -> None:
        for reply in replies:
            writer.write(reply)
            await writer.drain()
            if not await reader.readline():
                return

    return talk


@pytest.mark.parametrize(
    "replies",
    [
        (),
        (b"220 hi\r\n",),
        (b"220 hi\r\n", b"250 hello\r\n"),
        (b"220 hi\r\n", b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"),
        (b"not SMTP at all\r\n",),
        (b"421 4.3.2 closing\r\n",),
        (b"\xff\xfe\r\n",),
    ],
)
async def test_a_conversation_that_breaks_off_is_no_permanent_failure(smtp_script, replies):
    async with smtp_script(scripted(*replies)) as config:
        with pytest.raises(DeliveryError) as caught:
            await SmtpEmailService(config).send(MAIL)
    assert not caught.value.permanent
    assert str(caught.value).isprintable()


async def test_a_server_that_hangs_up_instead_of_taking_leave_has_taken_the_mail(smtp_script):
    arrived = []

    async def rude(reader, writer) -> None:
        for reply in (b"220 hi\r\n", b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            writer.write(reply)
            await reader.readline()
        while (line := await reader.readline()) != b".\r\n":
            arrived.append(line)
        writer.write(b"250 ok\r\n")

    async with smtp_script(rude) as config:
        await SmtpEmailService(config).send(MAIL)
    assert arrived


async def test_international_domains_need_nothing_of_the_server(smtp_sink):
    async with smtp_sink(smtputf8=False) as sink:
        await SmtpEmailService(sink.config).send(MailMessage("kunde@bücher.example", "Hi", "text"))
    (envelope,) = sink.mails
    assert envelope.rcpt_tos == ["kunde@xn--bcher-kva.example"]
    assert parsed(envelope)["To"] == "kunde@xn--bcher-kva.example"


async def test_an_international_mailbox_is_reached_with_smtputf8(smtp_sink):
    async with smtp_sink() as sink:
        await SmtpEmailService(sink.config).send(MailMessage("用户@例子.example", "你好", "text"))
    (envelope,) = sink.mails
    assert envelope.rcpt_tos == ["用户@xn--fsqu00a.example"]
    assert "SMTPUTF8" in envelope.mail_options
    assert "To: 用户@xn--fsqu00a.example".encode() in envelope.content


async def test_an_international_mailbox_is_a_permanent_failure_without_smtputf8(smtp_sink):
    async with smtp_sink(smtputf8=False) as sink:
        with pytest.raises(DeliveryError, match="beyond ASCII") as caught:
            await SmtpEmailService(sink.config).send(MailMessage("用户@example.com", "Hi", "text"))
    assert caught.value.permanent


@pytest.mark.parametrize(
    "address", ["a@example.com\r\nRCPT TO:<b@example.com>", "a@example.com>", "nobody", ""]
)
async def test_an_address_that_would_break_the_conversation_never_reaches_the_server(smtp_sink, address):
    async with smtp_sink() as sink:
        with pytest.raises(DeliveryError) as caught:
            await SmtpEmailService(sink.config).send(MailMessage(address, "Hi", "text"))
    assert caught.value.permanent
    assert sink.offered == 0


async def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiosmtplib", None)
    with pytest.raises(ConfigurationError, match=r'pip install "regstack\[smtp\]>=1'):
        SmtpEmailService(EmailConfig(backend="smtp", smtp_host="127.0.0.1"))


@pytest.mark.parametrize("values", [{"smtp_username": "mailer"}, {"smtp_password": "s3cret"}])
def test_half_of_the_credentials_is_refused(values):
    with pytest.raises(ConfigurationError, match="both"):
        SmtpEmailService(EmailConfig(backend="smtp", smtp_host="127.0.0.1", **values))


def test_a_transport_without_a_host_is_refused():
    with pytest.raises(ConfigurationError, match=r"needs email\.smtp_host"):
        SmtpEmailService(EmailConfig(backend="smtp"))


async def test_a_probe_greets_and_sends_nothing(smtp_sink, smtp_script):
    async with smtp_sink() as sink:
        await SmtpEmailService(sink.config).probe()
    assert sink.offered == 0
    async with smtp_script(scripted(b"220 hi\r\n", b"550 go away\r\n")) as config:
        with pytest.raises(DeliveryError, match="answered 550"):
            await SmtpEmailService(config).probe()
