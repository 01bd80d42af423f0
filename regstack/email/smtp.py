"""Mail by SMTP (RFC 5321), through aiosmtplib."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from regstack.email.message import needs_smtputf8, wire_address
from regstack.errors import ConfigurationError, DeliveryError, InvalidEmail
from regstack.extras import load_library

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiosmtplib

    from regstack.config.schema import EmailConfig
    from regstack.email.message import MailMessage

logger = logging.getLogger(__name__)

IMPLICIT_TLS_PORT = 465
"""The port where TLS begins with the connection (RFC 8314, section 3.3)."""

_SECONDS_TO_QUIT = 1.0
_ENHANCED_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")  # RFC 3463, section 2


class SmtpEmailService:
    """Sends each mail in a conversation of its own, encrypted unless `smtp_starttls` is off.

    Args:
        config: the `smtp_*` settings and the sender.
        tls_context: which certificates are trusted; without it those of the system.
        implicit_tls: whether TLS begins with the connection; without it, on port 465 alone.

    Raises:
        ConfigurationError: aiosmtplib is not installed, or a setting is missing.
    """

    def __init__(
        self,
        config: EmailConfig,
        *,
        tls_context: ssl.SSLContext | None = None,
        implicit_tls: bool | None = None,
    ) -> None:
        if not config.smtp_host:
            raise ConfigurationError('email.backend = "smtp" needs email.smtp_host')
        if (config.smtp_username is None) != (config.smtp_password is None):
            raise ConfigurationError("set both email.smtp_username and email.smtp_password, or neither")
        self._library = load_library("aiosmtplib", extra="smtp", needed_by='email.backend = "smtp"')
        self._config = config
        self._tls_context = tls_context
        self._implicit_tls = (
            implicit_tls if implicit_tls is not None else config.smtp_port == IMPLICIT_TLS_PORT
        )
        self._server = f"{config.smtp_host}:{config.smtp_port}"
        if config.smtp_username is not None and not (self._implicit_tls or config.smtp_starttls):
            logger.warning(
                "credentials go to the SMTP server %s unencrypted; see smtp_starttls", self._server
            )

    async def send(self, message: MailMessage) -> None:
        """Hand one mail to the server.

        Raises:
            DeliveryError: it was not accepted; permanent for a 5xx reply and for addresses that
                the server cannot serve.
        """
        try:
            email = message.to_email(self._config.from_address, self._config.from_name)
            sender, recipient = wire_address(self._config.from_address), wire_address(message.to)
        except InvalidEmail as error:
            raise DeliveryError("an address is not one that mail can be sent to", permanent=True) from error
        async with self._conversation() as client:
            options: list[str] = []
            if needs_smtputf8(sender, recipient):
                if client.is_ehlo_or_helo_needed:
                    await client.ehlo()
                if not client.supports_extension("smtputf8"):
                    raise DeliveryError(
                        f"the SMTP server {self._server} takes no addresses beyond ASCII (RFC 6531)",
                        permanent=True,
                    )
                options.append("SMTPUTF8")
            await client.sendmail(sender, [recipient], email.as_bytes(), mail_options=options)

    async def probe(self) -> str:
        """Connect, greet, switch to TLS and log in as `send` would, without sending anything.

        Returns:
            One line on what was found, without credentials.

        Raises:
            DeliveryError: something of it failed; the message says what.
        """
        async with self._conversation() as client:
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            cipher = client.get_transport_info("cipher")
            encryption = cipher[1] if cipher else "not encrypted"
            account = "logged in" if self._config.smtp_username is not None else "no login"
            return f"{self._server}: {encryption}, {account}"

    @asynccontextmanager
    async def _conversation(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection that is ready for a mail, under one deadline for all that happens in it."""
        encrypted = self._implicit_tls or self._config.smtp_starttls
        if encrypted and self._tls_context is None:
            # Reads the system's certificates from disk: once, and off the event loop.
            self._tls_context = await asyncio.to_thread(ssl.create_default_context)
        client = self._client()
        try:
            async with asyncio.timeout(self._config.smtp_timeout_seconds):
                await client.connect()
                yield client
            # Past this point the mail is the server's: a fault while taking leave is none.
            with suppress(self._library.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(_SECONDS_TO_QUIT):
                    await client.quit()
        except (self._library.SMTPException, OSError, TimeoutError, ValueError) as error:
            raise self._delivery_error(error) from error
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        config = self._config
        password = config.smtp_password
        client: aiosmtplib.SMTP = self._library.SMTP(
            hostname=config.smtp_host,
            port=config.smtp_port,
            username=config.smtp_username,
            password=password.get_secret_value() if password is not None else None,
            timeout=config.smtp_timeout_seconds,
            use_tls=self._implicit_tls,
            start_tls=config.smtp_starttls and not self._implicit_tls,
            tls_context=self._tls_context,
        )
        return client

    def _delivery_error(self, error: Exception) -> DeliveryError:
        """What went wrong, without the server's own words: they quote addresses, and links."""
        library = self._library
        where = f"the SMTP server {self._server}"
        if isinstance(error, library.SMTPRecipientsRefused) and error.recipients:
            error = error.recipients[0]
        if isinstance(error, library.SMTPResponseException):
            status = _ENHANCED_STATUS.match(error.message)
            reply = f"{error.code} {status[0]}" if status else str(error.code)
            hint = (
                "; check email.smtp_username and email.smtp_password"
                if isinstance(error, library.SMTPAuthenticationError)
                else ""
            )
            return DeliveryError(f"{where} answered {reply}{hint}", permanent=500 <= error.code < 600)
        if isinstance(error, TimeoutError):
            return DeliveryError(f"{where} took longer than {self._config.smtp_timeout_seconds:g} s")
        for cause in (error, error.__cause__, error.__context__):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return DeliveryError(f"the certificate of {where} is not trusted: {cause.verify_message}")
        if isinstance(error, ValueError):
            return DeliveryError(f"{where} cannot be given this mail", permanent=True)
        if isinstance(error, (OSError, library.SMTPServerDisconnected)):
            return DeliveryError(f"{where} cannot be reached, or broke off ({type(error).__name__})")
        return DeliveryError(
            f"{where} does not speak as expected ({type(error).__name__}); "
            "does its port fit email.smtp_starttls?"
        )
