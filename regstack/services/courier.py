"""Messages that leave after the answer, whatever carries them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from regstack.errors import DeliveryError, InvalidInput
from regstack.models.line import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity.wait import wait_base

    from regstack.config.schema import EmailConfig, SmsConfig
    from regstack.services.background import BackgroundQueue

logger = logging.getLogger(__name__)

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)


class Transport(Protocol[M_contra]):
    """What carries messages of one kind: `EmailService`, `SmsService`."""

    async def send(self, message: M_contra) -> None:
        """Hand one message over, or raise `DeliveryError`."""


@runtime_checkable
class ClosableTransport(Protocol):
    """A transport that holds something open."""

    async def aclose(self) -> None:
        """Close what is open; called once, after the last `send`."""


S = TypeVar("S", bound=Transport[Any])


class Courier(Generic[M, S]):
    """Composes and sends messages in a queue, and repeats what failed for the moment.

    A message that waits for its next attempt keeps one worker of the queue, so the queue should
    have several.

    Args:
        queue: where messages wait.
        service: the transport.
        config: `max_attempts`.
        wait: pause before the next attempt, a wait strategy of tenacity; without it 1, 3, 9, …
            seconds, 60 at the most, and up to one second more at random.

    Attributes:
        noun: what logs call a message.
        service: the transport; may be replaced, and messages that wait go through the new one.
        sent: messages that the transport took.
        undeliverable: messages that were given up.
    """

    noun: ClassVar[str]

    def __init__(
        self,
        queue: BackgroundQueue,
        service: S,
        config: EmailConfig | SmsConfig,
        *,
        wait: wait_base | None = None,
    ) -> None:
        self.service = service
        self.sent = 0
        self.undeliverable = 0
        self._queue = queue
        self._max_attempts = config.max_attempts
        self._wait = wait

    def destination(self, message: M) -> str:
        """Say where a message goes as far as logs may show it."""
        raise NotImplementedError

    def post(self, make: Callable[[], M], *, kind: str) -> bool:
        """Have a message composed and sent soon; never waits and never raises.

        Args:
            make: composes the message, in the background.
            kind: what logs call the message.

        Returns:
            False where the queue is full or closed: the message will not be sent.
        """
        return self._queue.put(lambda: self._deliver(make, kind), label=f"{self.noun} {kind}")

    async def aclose(self) -> None:
        """Close the transport, if it holds something open; the queue is closed by its owner."""
        if isinstance(self.service, ClosableTransport):
            await self.service.aclose()

    async def _deliver(self, make: Callable[[], M], kind: str) -> None:
        try:
            message = make()
        except Exception as error:  # noqa: BLE001 - a host's template or composer may raise anything
            self.undeliverable += 1
            logger.error("%s %s cannot be composed: %s", self.noun, kind, _reason(error))  # noqa: TRY400 - no payload
            return
        import tenacity  # noqa: PLC0415 - a start sends nothing

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_is_transient),
            stop=tenacity.stop_after_attempt(self._max_attempts),
            wait=self._wait or backoff(),
            reraise=True,
        )
        try:
            await retrying(self._send, message)
        except Exception as error:  # noqa: BLE001 - a host's transport may raise anything
            self.undeliverable += 1
            logger.error(  # noqa: TRY400 - a traceback would show what the server quoted
                "%s %s to %s was not delivered, attempts %d: %s",
                self.noun,
                kind,
                self.destination(message),
                retrying.statistics.get("attempt_number", 1),
                _reason(error),
            )
        else:
            self.sent += 1

    async def _send(self, message: M) -> None:
        await self.service.send(message)


def backoff() -> wait_base:
    """Give the pauses before the next attempt: 1, 3, 9, … seconds, and some chance."""
    from tenacity.wait import wait_exponential, wait_random  # noqa: PLC0415 - a start sends nothing

    return wait_exponential(exp_base=3, max=60) + wait_random(0, 1)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, DeliveryError):
        return not error.permanent
    return isinstance(error, Exception) and not isinstance(error, InvalidInput)


def _reason(error: Exception) -> str:
    """Type, and the message only where it is one of ours: others may quote what was sent."""
    name = type(error).__name__
    return f"{name}: {one_line(error)}" if isinstance(error, DeliveryError) else name
