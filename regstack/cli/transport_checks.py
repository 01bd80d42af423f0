"""Whether mails and text messages would leave: the transports, asked for a sign of life."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from regstack.email.smtp import IMPLICIT_TLS_PORT
from regstack.errors import DeliveryError, RegStackError
from regstack.models.finding import Finding, Health
from regstack.models.line import one_line

if TYPE_CHECKING:
    from regstack.config.schema import EmailConfig, RegStackConfig
    from regstack.plugins.transports import TransportRegistry

DEADLINE_SECONDS: Final = 30
"""For a transport that does not keep the deadlines of the settings."""


async def check_mail(config: EmailConfig, transports: TransportRegistry) -> Finding:
    """Look at the transport of mails; its server is greeted and signed in to, and sent nothing."""
    if config.backend == "console":
        return Finding(
            "email",
            Health.WARNING,
            "the transport is console: mails are reported on the terminal, not sent",
            'Set email.backend = "smtp" and email.smtp_host before people depend on mails.',
        )
    try:
        service = transports.create_email_service(config)
    except RegStackError as error:
        return Finding("email", Health.FAILED, str(error))
    correct = (
        "Start the server, or correct email.smtp_host, smtp_port, smtp_starttls, smtp_username and "
        "smtp_password."
        if config.backend == "smtp"
        else "Correct the settings of [email], or what they lead to."
    )
    found = await _probe("email", config.backend, service, correct)
    clear = config.smtp_port != IMPLICIT_TLS_PORT and not config.smtp_starttls
    if config.backend == "smtp" and clear and found.status is Health.OK:
        return Finding(
            "email",
            Health.WARNING,
            f"{found.detail}: mails and their links travel unencrypted",
            "Set email.smtp_starttls = true.",
        )
    return found


async def check_texts(config: RegStackConfig, transports: TransportRegistry) -> list[Finding]:
    """Look at the transport of text messages, where there is use for one."""
    if config.sms.backend == "null":
        kept = Finding(
            "sms",
            Health.WARNING,
            "the transport is null: text messages are kept in memory, not sent",
            'Set sms.backend = "sns" or "twilio" before people depend on texted codes.',
        )
        return [kept] if config.enable_sms_2fa else []
    try:
        service = transports.create_sms_service(config.sms)
    except RegStackError as error:
        return [Finding("sms", Health.FAILED, str(error))]
    correct = "Correct the settings of [sms], or what they lead to."
    return [await _probe("sms", config.sms.backend, service, correct)]


async def _probe(name: str, backend: str, service: Any, correct: str) -> Finding:
    probe, close = getattr(service, "probe", None), getattr(service, "aclose", None)
    label = one_line(backend, 60)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            if probe is None:
                return Finding(name, Health.OK, f"{label}: it cannot be tried without sending")
            return Finding(name, Health.OK, one_line(await probe()))
    except DeliveryError as error:
        return Finding(name, Health.FAILED, str(error), correct)
    except Exception as error:  # noqa: BLE001 - a transport may raise anything, and doctor reports it all
        # By its type alone: the message may quote a setting, and any of them may be a secret.
        return Finding(name, Health.FAILED, f"{label}: {type(error).__name__}", correct)
    finally:
        if close is not None:
            await close()
