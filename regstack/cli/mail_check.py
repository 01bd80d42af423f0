"""Whether mail would leave: the transport of the settings, asked for a sign of life."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.email.smtp import IMPLICIT_TLS_PORT, SmtpEmailService
from regstack.errors import ConfigurationError, DeliveryError
from regstack.models.finding import Finding, Health

if TYPE_CHECKING:
    from regstack.config.schema import EmailConfig

NAME = "email"


async def check_mail(config: EmailConfig) -> Finding:
    """Look at the transport; an SMTP server is greeted and signed in to, and sent nothing."""
    if config.backend == "smtp":
        return await _check_smtp(config)
    if config.backend == "console":
        return Finding(
            NAME,
            Health.WARNING,
            "the transport is console: mails are reported on the terminal, not sent",
            'Set email.backend = "smtp" and email.smtp_host before people depend on mails.',
        )
    return Finding(
        NAME,
        Health.FAILED,
        f"the transport {config.backend} is not part of this version",
        'Use email.backend = "smtp", or pass a transport of your own to RegStack.',
    )


async def _check_smtp(config: EmailConfig) -> Finding:
    try:
        found = await SmtpEmailService(config).probe()
    except ConfigurationError as error:
        return Finding(NAME, Health.FAILED, str(error))
    except DeliveryError as error:
        return Finding(
            NAME,
            Health.FAILED,
            str(error),
            "Start the server, or correct email.smtp_host, smtp_port, smtp_starttls, smtp_username and "
            "smtp_password.",
        )
    if config.smtp_port != IMPLICIT_TLS_PORT and not config.smtp_starttls:
        return Finding(
            NAME,
            Health.WARNING,
            f"{found}: mails and their links travel unencrypted",
            "Set email.smtp_starttls = true.",
        )
    return Finding(NAME, Health.OK, found)
