from __future__ import annotations

import base64
import email
import email.policy
import logging
import sys

import pytest

from regstack.config.schema import EmailConfig
from regstack.email.message import MailMessage
from regstack.email.ses import SesEmailService
from regstack.errors import ConfigurationError, DeliveryError
from tests.servers.http_stand_in import Answer
from tests.servers.sigv4 import signed_by

pytestmark = pytest.mark.anyio

KEY_ID, SECRET = "AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"
LINK = "https://app.example.com/account/verify?token=s3cr3t-token"
MAIL = MailMessage(
    to="alice@example.com",
    subject="Confirm your email address",
    text=f"Hello Zoë,\n\n{LINK}\n",
    html=f'<p><a href="{LINK}">Confirm</a></p>\n',
    sender_name="Acme",
)


def config(**values) -> EmailConfig:
    values = {"ses_region": "eu-central-1", "ses_timeout_seconds": 10.0, **values}
    return EmailConfig(backend="ses", from_address="accounts@acme.example", **values)


async def test_a_mail_goes_over_the_wire_as_amazon_documents_it(amazon):
    async with amazon() as server:
        server.answer = Answer(body=b'{"MessageId": "0100"}')
        service = SesEmailService(config(ses_access_key_id=KEY_ID, ses_secret_access_key=SECRET))
        await service.send(MAIL)
        await service.aclose()
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v2/email/outbound-emails")
    assert signed_by(asked, KEY_ID, SECRET, region="eu-central-1", service="ses")
    body = asked.json
    assert body["FromEmailAddress"] == "accounts@acme.example"
    assert body["Destination"] == {"ToAddresses": ["alice@example.com"]}
    raw = base64.b64decode(body["Content"]["Raw"]["Data"], validate=True)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["From"] == "Acme <accounts@acme.example>"
    assert mail["To"] == "alice@example.com"
    assert mail["Subject"] == MAIL.subject
    assert mail.get_body(("plain",)).get_content().splitlines() == MAIL.text.splitlines()
    assert mail.get_body(("html",)).get_content().splitlines() == MAIL.html.splitlines()
    assert set(body) == {"FromEmailAddress", "Destination", "Content"}


async def test_without_keys_amazons_own_chain_finds_the_credentials(amazon, tmp_path):
    (tmp_path / "credentials").write_text(
        f"[shop]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    )
    async with amazon() as server:
        for values in ({}, {"ses_profile": "shop"}):
            service = SesEmailService(config(**values))
            await service.send(MAIL)
            await service.aclose()
    from_environment, from_profile = server.asked
    assert "AKIAIOSFODNN7EXAMPLE/" in from_environment.headers["authorization"]
    assert signed_by(from_profile, KEY_ID, SECRET, region="eu-central-1", service="ses")


async def test_domains_beyond_ascii_are_sent_as_a_labels(amazon):
    async with amazon() as server:
        service = SesEmailService(config())
        await service.send(MailMessage("kunde@bücher.example", "Hi", "text"))
        await service.aclose()
    assert server.asked[0].json["Destination"] == {"ToAddresses": ["kunde@xn--bcher-kva.example"]}


@pytest.mark.parametrize("address", ["用户@example.com", "a@example.com\r\nBcc: b@example.com", "nobody", ""])
async def test_an_address_that_amazon_cannot_serve_never_reaches_it(amazon, address):
    async with amazon() as server:
        service = SesEmailService(config())
        with pytest.raises(DeliveryError) as caught:
            await service.send(MailMessage(address, "Hi", "text"))
        await service.aclose()
    assert caught.value.permanent
    assert not server.asked


async def test_the_log_at_debug_holds_neither_the_mail_nor_the_secret(amazon, caplog):
    caplog.set_level(logging.DEBUG)
    async with amazon() as server:
        server.answers += [Answer(400, b'{"message": "no mail to alice@example.com"}'), Answer()]
        service = SesEmailService(config(ses_access_key_id=KEY_ID, ses_secret_access_key=SECRET))
        with pytest.raises(DeliveryError):
            await service.send(MAIL)
        await service.send(MAIL)
        await service.aclose()
    assert len(server.asked) == 2
    raw = server.asked[0].json["Content"]["Raw"]["Data"]
    assert server.asked[0].headers["authorization"].rpartition("=")[2] not in caplog.text
    for secret in (SECRET, "s3cr3t", "alice", "accounts@acme", raw[:40], raw[-40:]):
        assert secret not in caplog.text
    shown = f"{service._config!r}"
    assert SECRET not in shown


async def test_a_probe_asks_who_it_is_and_sends_nothing(amazon):
    answer = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
        <GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/mailer</Arn></GetCallerIdentityResult>
        </GetCallerIdentityResponse>"""
    async with amazon() as server:
        server.answers += [Answer(body=answer), Answer(403, b"<ErrorResponse/>")]
        service = SesEmailService(config(ses_access_key_id=KEY_ID, ses_secret_access_key=SECRET))
        told = await service.probe()
        with pytest.raises(DeliveryError, match="check the credentials"):
            await service.probe()
        await service.aclose()
    assert told == "Amazon SES in eu-central-1: signed in as arn:aws:iam::123456789012:user/mailer"
    assert server.asked[0].form["Action"] == "GetCallerIdentity"
    assert signed_by(server.asked[0], KEY_ID, SECRET, region="eu-central-1", service="sts")


async def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r'email\.backend = "ses" .*pip install "regstack\[ses\]>=1'):
        SesEmailService(config())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"ses_access_key_id": "AKIA"}, "both"),
        ({"ses_secret_access_key": "s3cret"}, "both"),
        ({"ses_profile": "a", "ses_access_key_id": "AKIA", "ses_secret_access_key": "s3cret"}, "not both"),
    ],
)
def test_credentials_that_contradict_each_other_are_refused(values, told):
    with pytest.raises(ConfigurationError, match=told) as caught:
        SesEmailService(config(**values))
    assert "s3cret" not in str(caught.value)
