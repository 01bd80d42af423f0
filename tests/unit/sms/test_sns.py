from __future__ import annotations

import sys

import pytest

from regstack.config.schema import SmsConfig
from regstack.errors import ConfigurationError
from regstack.sms.service import SmsMessage
from regstack.sms.sns import SnsSmsService
from tests.servers.http_stand_in import Answer
from tests.servers.sigv4 import signed_by
from tests.unit.conftest import AWS_KEY_ID, AWS_SECRET

pytestmark = pytest.mark.anyio

TEXT = SmsMessage("+4930123456", "Zoë's code: 123456")
TAKEN = Answer(
    body=b"""<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
    <MessageId>0100</MessageId></PublishResult></PublishResponse>"""
)


@pytest.mark.parametrize("number", [None, "+15005550006"])
async def test_a_message_goes_over_the_wire_as_amazon_documents_it(amazon, number):
    async with amazon() as server:
        server.answer = TAKEN
        service = SnsSmsService(SmsConfig(backend="sns", from_number=number))
        await service.send(TEXT)
        await service.aclose()
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/")
    assert signed_by(asked, AWS_KEY_ID, AWS_SECRET, region="eu-west-1", service="sns")
    form = asked.form
    assert form.pop("Version") == "2010-03-31"
    attributes = {}
    for place in range(1, len(form)):
        if (name := form.pop(f"MessageAttributes.entry.{place}.Name", None)) is not None:
            assert form.pop(f"MessageAttributes.entry.{place}.Value.DataType") == "String"
            attributes[name] = form.pop(f"MessageAttributes.entry.{place}.Value.StringValue")
    assert form == {"Action": "Publish", "PhoneNumber": TEXT.to, "Message": TEXT.text}
    origin = {} if number is None else {"AWS.MM.SMS.OriginationNumber": number}
    assert attributes == {"AWS.SNS.SMS.SMSType": "Transactional"} | origin


async def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r'sms\.backend = "sns" .*pip install "regstack\[sns\]>=1'):
        SnsSmsService(SmsConfig(backend="sns"))
