"""Mail by Amazon SES (API version 2), through boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.email.message import needs_smtputf8, wire_address
from regstack.errors import ConfigurationError, DeliveryError, InvalidEmail
from regstack.transports.aws import AwsClient

if TYPE_CHECKING:
    from regstack.config.schema import EmailConfig
    from regstack.email.message import MailMessage


class SesEmailService:
    """Sends each mail as the MIME message that SMTP would carry.

    Amazon puts a Message-ID of its own, so that a repeated mail cannot be told from a second one.

    Args:
        config: the `ses_*` settings and the sender. Without a profile and keys boto3 finds the
            credentials: environment, shared files, role of the machine.

    Raises:
        ConfigurationError: boto3 is not installed, or the settings contradict each other.
    """

    def __init__(self, config: EmailConfig) -> None:
        self._config = config
        self._client = AwsClient(
            "sesv2",
            "Amazon SES",
            backend=("email.backend", "ses"),
            region=config.ses_region,
            timeout_seconds=config.ses_timeout_seconds,
            credentials=_credentials(config),
        )

    async def send(self, message: MailMessage) -> None:
        """Hand one mail to Amazon.

        Raises:
            DeliveryError: it was not accepted; permanent for a 4xx answer other than 429 and for
                addresses that Amazon cannot serve.
        """
        try:
            email = message.to_email(self._config.from_address, self._config.from_name)
            sender, recipient = wire_address(self._config.from_address), wire_address(message.to)
        except InvalidEmail:
            raise DeliveryError("an address is not one that mail can be sent to", permanent=True) from None
        if needs_smtputf8(sender, recipient):
            raise DeliveryError("Amazon SES takes no addresses beyond ASCII (RFC 6531)", permanent=True)
        await self._client.call(
            "send_email",
            FromEmailAddress=sender,
            Destination={"ToAddresses": [recipient]},
            Content={"Raw": {"Data": email.as_bytes()}},
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


def _credentials(config: EmailConfig) -> dict[str, str]:
    key_id, secret = config.ses_access_key_id, config.ses_secret_access_key
    if (key_id is None) != (secret is None):
        raise ConfigurationError(
            "set both email.ses_access_key_id and email.ses_secret_access_key, or neither"
        )
    if config.ses_profile is not None:
        if key_id is not None:
            raise ConfigurationError("set email.ses_profile or email.ses_access_key_id, not both")
        return {"profile_name": config.ses_profile}
    if key_id is None or secret is None:
        return {}
    return {"aws_access_key_id": key_id, "aws_secret_access_key": secret.get_secret_value()}
