"""Mail that leaves after the answer."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from regstack.email.service import ClosableEmailService
from regstack.errors import DeliveryError, InvalidInput
from regstack.models.line import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity.wait import wait_base

    from regstack.config.schema import EmailConfig
    from regstack.email.message import MailMessage
    from regstack.email.service import EmailService
    from regstack.services.background import BackgroundQueue

logger = logging.getLogger(__name__)


class Mailer:
    """Composes and sends mails in a queue, and repeats what failed for the moment.

    A mail that waits for its next attempt keeps one worker of the queue, so the queue should
    have several.

    Args:
        queue: where mails wait.
        service: the transport.
        config: `max_attempts`.
        wait: pause before the next attempt, a wait strategy of tenacity; without it 1, 3, 9, …
            seconds, 60 at the most, and up to one second more at random.

    Attributes:
        service: the transport; may be replaced, and mails that wait go through the new one.
        sent: mails that the transport took.
        undeliverable: mails that were given up.
    """

    def __init__(
        self,
        queue: BackgroundQueue,
        service: EmailService,
        config: EmailConfig,
        *,
        wait: wait_base | None = None,
    ) -> None:
        self.service = service
        self.sent = 0
        self.undeliverable = 0
        self._queue = queue
        self._max_attempts = config.max_attempts
        # Loaded here rather than on top: importing regstack should not cost it, the first mail
        # should not either.
        self._tenacity = import_module("tenacity")
        self._wait = wait if wait is not None else _backoff(self._tenacity)

    def post(self, make: Callable[[], MailMessage], *, kind: str) -> bool:
        """Have a mail composed and sent soon; never waits and never raises.

        Args:
            make: composes the mail, in the background.
            kind: what logs call the mail.

        Returns:
            False where the queue is full or closed: the mail will not be sent.
        """
        return self._queue.put(lambda: self._deliver(make, kind), label=f"mail {kind}")

    async def aclose(self) -> None:
        """Close the transport, if it holds something open; the queue is closed by its owner."""
        if isinstance(self.service, ClosableEmailService):
            await self.service.aclose()

    async def _deliver(self, make: Callable[[], MailMessage], kind: str) -> None:
        try:
            message = make()
        except Exception as error:  # noqa: BLE001 - a host's template or composer may raise anything
            self.undeliverable += 1
            logger.error("mail %s cannot be composed: %s", kind, _reason(error))  # noqa: TRY400 - no payload
            return
        tenacity = self._tenacity
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_is_transient),
            stop=tenacity.stop_after_attempt(self._max_attempts),
            wait=self._wait,
            reraise=True,
        )
        try:
            await retrying(self._send, message)
        except Exception as error:  # noqa: BLE001 - a host's transport may raise anything
            self.undeliverable += 1
            logger.error(  # noqa: TRY400 - a traceback would show what the server quoted
                "mail %s to an address at %s was not delivered, attempts %d: %s",
                kind,
                one_line(message.to.rpartition("@")[2], 100),
                retrying.statistics.get("attempt_number", 1),
                _reason(error),
            )
        else:
            self.sent += 1

    async def _send(self, message: MailMessage) -> None:
        await self.service.send(message)


def _backoff(tenacity: Any) -> wait_base:
    wait: wait_base = tenacity.wait_exponential(multiplier=1, exp_base=3, max=60) + tenacity.wait_random(0, 1)
    return wait


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, DeliveryError):
        return not error.permanent
    return isinstance(error, Exception) and not isinstance(error, InvalidInput)


def _reason(error: Exception) -> str:
    """Type, and the message only where it is one of ours: others may quote the mail."""
    name = type(error).__name__
    return f"{name}: {one_line(error)}" if isinstance(error, DeliveryError) else name
