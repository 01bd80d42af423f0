"""The mail transport that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.email.console import ConsoleEmailService
from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from regstack.config.schema import EmailConfig
    from regstack.email.service import EmailService


def make_email_service(config: EmailConfig) -> EmailService:
    """Make the transport of `email.backend`; connects to nothing.

    Raises:
        ConfigurationError: its library is not installed, a setting is missing, or the transport
            is not part of this version.
    """
    if config.backend == "console":
        return ConsoleEmailService(log_bodies=config.log_bodies)
    if config.backend == "smtp":
        from regstack.email.smtp import SmtpEmailService  # noqa: PLC0415 - an extra, loaded where it is used

        return SmtpEmailService(config)
    raise ConfigurationError(
        f'email.backend = "{config.backend}" is not part of this version; use "smtp" '
        "(Amazon SES has an SMTP interface), or pass a transport of your own as `email_service`"
    )
