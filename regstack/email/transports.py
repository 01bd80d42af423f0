"""The mail transports of regstack itself, as plugins; what one is made of is loaded by its hook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regstack import hookimpl
from regstack.errors import ConfigurationError
from regstack.transports.info import TransportInfo, TransportKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.config.schema import EmailConfig
    from regstack.email.service import EmailService


@dataclass(frozen=True, eq=False)
class MailTransport:
    """A plugin of the group `regstack.transports`.

    Attributes:
        info: what it says of itself.
        make: builds the transport.
    """

    info: TransportInfo
    make: Callable[[EmailConfig], EmailService]

    @hookimpl
    def regstack_transport_info(self) -> TransportInfo:
        """Describe the transport."""
        return self.info

    @hookimpl
    def regstack_create_email_service(self, config: EmailConfig) -> EmailService:
        """Build the transport, without I/O."""
        if config.options:
            raise ConfigurationError(
                f'email.backend = "{self.info.name}" takes no email.options, but settings of its own'
            )
        return self.make(config)


def _console(config: EmailConfig) -> EmailService:
    from regstack.email.console import ConsoleEmailService  # noqa: PLC0415 - hooks stay cheap

    return ConsoleEmailService(log_bodies=config.log_bodies)


def _smtp(config: EmailConfig) -> EmailService:
    from regstack.email.smtp import SmtpEmailService  # noqa: PLC0415 - hooks stay cheap

    return SmtpEmailService(config)


def _ses(config: EmailConfig) -> EmailService:
    from regstack.email.ses import SesEmailService  # noqa: PLC0415 - hooks stay cheap

    return SesEmailService(config)


def _info(name: str, summary: str, library: str = "") -> TransportInfo:
    return TransportInfo(
        name=name,
        kind=TransportKind.EMAIL,
        # As a number: an import would claim whichever version the installed regstack has.
        api_version=1,
        summary=summary,
        library=library,
    )


CONSOLE = MailTransport(_info("console", "reports mails on the terminal, for development"), _console)
SMTP = MailTransport(_info("smtp", "any mail server, by SMTP", "aiosmtplib"), _smtp)
SES = MailTransport(_info("ses", "Amazon SES", "boto3"), _ses)
