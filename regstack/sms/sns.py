"""Text messages by Amazon SNS, through boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.transports.aws import AwsClient

if TYPE_CHECKING:
    from regstack.config.schema import SmsConfig
    from regstack.sms.service import SmsMessage


class SnsSmsService:
    """Publishes each message to its phone number, as transactional.

    Args:
        config: `sns_region`, `from_number` and the deadline. boto3 finds the credentials:
            environment, shared files, role of the machine.

    Raises:
        ConfigurationError: boto3 is not installed.
    """

    def __init__(self, config: SmsConfig) -> None:
        # Transactional messages go the reliable way, and are not held back at night.
        self._attributes = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
        if config.from_number is not None:
            number = {"DataType": "String", "StringValue": config.from_number}
            self._attributes["AWS.MM.SMS.OriginationNumber"] = number
        self._client = AwsClient(
            "sns",
            "Amazon SNS",
            backend=("sms.backend", "sns"),
            region=config.sns_region,
            timeout_seconds=config.timeout_seconds,
        )

    async def send(self, message: SmsMessage) -> None:
        """Hand one message to Amazon.

        Raises:
            DeliveryError: it was not accepted; permanent for a 4xx answer other than 429.
        """
        await self._client.call(
            "publish", PhoneNumber=message.to, Message=message.text, MessageAttributes=self._attributes
        )

    async def probe(self) -> str:
        """Ask who the credentials belong to, without sending anything.

        Raises:
            DeliveryError: they are missing or not taken, or Amazon cannot be reached.
        """
        return await self._client.identify()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
