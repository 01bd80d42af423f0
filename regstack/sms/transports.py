"""The transports of text messages of regstack itself, as plugins; each is loaded by its hook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regstack import hookimpl
from regstack.errors import ConfigurationError
from regstack.transports.info import TransportInfo, TransportKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.config.schema import SmsConfig
    from regstack.sms.service import SmsService


@dataclass(frozen=True, eq=False)
class TextTransport:
    """A plugin of the group `regstack.transports`.

    Attributes:
        info: what it says of itself.
        make: builds the transport.
    """

    info: TransportInfo
    make: Callable[[SmsConfig], SmsService]

    @hookimpl
    def regstack_transport_info(self) -> TransportInfo:
        """Describe the transport."""
        return self.info

    @hookimpl
    def regstack_create_sms_service(self, config: SmsConfig) -> SmsService:
        """Build the transport, without I/O."""
        if config.options:
            raise ConfigurationError(
                f'sms.backend = "{self.info.name}" takes no sms.options, but settings of its own'
            )
        return self.make(config)


def _null(config: SmsConfig) -> SmsService:
    from regstack.sms.null import NullSmsService  # noqa: PLC0415 - hooks stay cheap

    return NullSmsService(log_bodies=config.log_bodies)


def _sns(config: SmsConfig) -> SmsService:
    from regstack.sms.sns import SnsSmsService  # noqa: PLC0415 - hooks stay cheap

    return SnsSmsService(config)


def _twilio(config: SmsConfig) -> SmsService:
    from regstack.sms.twilio import TwilioSmsService  # noqa: PLC0415 - hooks stay cheap

    return TwilioSmsService(config)


def _info(name: str, summary: str, library: str = "") -> TransportInfo:
    return TransportInfo(
        name=name,
        kind=TransportKind.SMS,
        # As a number: an import would claim whichever version the installed regstack has.
        api_version=1,
        summary=summary,
        library=library,
    )


NULL = TextTransport(_info("null", "keeps messages in memory, for development"), _null)
SNS = TextTransport(_info("sns", "Amazon SNS", "boto3"), _sns)
TWILIO = TextTransport(_info("twilio", "Twilio Programmable Messaging", "httpx2"), _twilio)
