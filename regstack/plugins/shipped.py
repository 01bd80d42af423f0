"""The transports of regstack itself, as plugins; what one is made of is loaded by its hook."""

# ruff: noqa: PLC0415 - hooks stay cheap

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from regstack import hookimpl
from regstack.errors import ConfigurationError
from regstack.transports.info import TransportInfo, TransportKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.config.schema import EmailConfig, SmsConfig
    from regstack.email.service import EmailService
    from regstack.sms.service import SmsService

C = TypeVar("C", bound="EmailConfig | SmsConfig")
S = TypeVar("S")


@dataclass(frozen=True, eq=False)
class _Shipped(Generic[C, S]):
    """A plugin of the group `regstack.transports`; a subclass has the hook of its kind.

    Attributes:
        name: as in `TransportInfo`.
        summary: likewise.
        make: builds the transport.
        library: as in `TransportInfo`.
    """

    kind: ClassVar[TransportKind]
    name: str
    summary: str
    make: Callable[[C], S]
    library: str = ""

    @hookimpl
    def regstack_transport_info(self) -> TransportInfo:
        """Describe the transport."""
        return TransportInfo(
            name=self.name,
            kind=self.kind,
            # As a number: an import would claim whichever version the installed regstack has.
            api_version=1,
            summary=self.summary,
            library=self.library,
        )

    def _made(self, config: C) -> S:
        if config.options:
            raise ConfigurationError(
                f'{self.kind}.backend = "{self.name}" takes no {self.kind}.options, but settings of its own'
            )
        return self.make(config)


class _Mail(_Shipped["EmailConfig", "EmailService"]):
    kind = TransportKind.EMAIL

    @hookimpl
    def regstack_create_email_service(self, config: EmailConfig) -> EmailService:
        """Build the transport, without I/O."""
        return self._made(config)


class _Text(_Shipped["SmsConfig", "SmsService"]):
    kind = TransportKind.SMS

    @hookimpl
    def regstack_create_sms_service(self, config: SmsConfig) -> SmsService:
        """Build the transport, without I/O."""
        return self._made(config)


def _console(config: EmailConfig) -> EmailService:
    from regstack.email.console import ConsoleEmailService

    return ConsoleEmailService(log_bodies=config.log_bodies)


def _smtp(config: EmailConfig) -> EmailService:
    from regstack.email.smtp import SmtpEmailService

    return SmtpEmailService(config)


def _ses(config: EmailConfig) -> EmailService:
    from regstack.email.ses import SesEmailService

    return SesEmailService(config)


def _null(config: SmsConfig) -> SmsService:
    from regstack.sms.null import NullSmsService

    return NullSmsService(log_bodies=config.log_bodies)


def _sns(config: SmsConfig) -> SmsService:
    from regstack.sms.sns import SnsSmsService

    return SnsSmsService(config)


def _twilio(config: SmsConfig) -> SmsService:
    from regstack.sms.twilio import TwilioSmsService

    return TwilioSmsService(config)


CONSOLE = _Mail("console", "reports mails on the terminal, for development", _console)
SMTP = _Mail("smtp", "any mail server, by SMTP", _smtp, "aiosmtplib")
SES = _Mail("ses", "Amazon SES", _ses, "boto3")
NULL = _Text("null", "keeps messages in memory, for development", _null)
SNS = _Text("sns", "Amazon SNS", _sns, "boto3")
TWILIO = _Text("twilio", "Twilio Programmable Messaging", _twilio, "httpx2")
