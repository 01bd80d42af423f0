"""What happened, told to the host's own handlers."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from regstack.errors import ConfigurationError
from regstack.models.line import one_line

if TYPE_CHECKING:
    from regstack.services.background import BackgroundQueue

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[..., Any]
"""Called with the event's payload as keyword arguments; sync or async, the result is ignored."""

H = TypeVar("H", bound=Handler)

EVENTS: frozenset[str] = frozenset(
    {
        "email_change_requested",
        "email_changed",
        "mfa_disabled",
        "mfa_enabled",
        "mfa_login_started",
        "oauth_account_linked",
        "oauth_account_unlinked",
        "oauth_signin_completed",
        "oauth_signin_started",
        "password_changed",
        "password_reset_completed",
        "password_reset_requested",
        "phone_setup_started",
        "user_deleted",
        "user_logged_in",
        "user_logged_out",
        "user_registered",
        "user_verified",
        "verification_requested",
    }
)
"""Every event that can be listened to."""


class EventHooks:
    """Calls the host's handlers after the answer.

    The handlers of one event run one after the other in the order of registration, each at most
    once per event. A failing one is logged, without its payload, and stops nothing.

    Args:
        queue: where handlers wait; with one worker, events keep their order too.
    """

    def __init__(self, queue: BackgroundQueue) -> None:
        self._queue = queue
        self._handlers: dict[str, tuple[Handler, ...]] = dict.fromkeys(EVENTS, ())

    @overload
    def on(self, event: str, handler: None = None) -> Callable[[H], H]: ...
    @overload
    def on(self, event: str, handler: H) -> H: ...
    def on(self, event: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Call `handler(**payload)` after each `event`; without a handler, a decorator.

        A synchronous handler runs in a worker thread, so that it cannot stall the event loop.

        Args:
            event: a member of `EVENTS`.
            handler: sync or async; takes keyword arguments, best with `**rest`, since later
                versions may add some.

        Raises:
            ConfigurationError: there is no such event, or the handler cannot be called.
        """
        if event not in self._handlers:
            raise ConfigurationError(
                f"there is no event {one_line(event, 60)!r}; events are {', '.join(sorted(EVENTS))}"
            )
        if handler is None:
            return partial(self._register, event)
        return self._register(event, handler)

    def fire(self, event: str, /, **payload: Any) -> None:
        """Have the event's handlers called soon; costs nothing where there are none.

        Args:
            event: a member of `EVENTS`.
            **payload: what handlers are told; never a code, a token, or a link that holds one.

        Raises:
            KeyError: there is no such event.
        """
        if handlers := self._handlers[event]:
            # A job that its event loop interrupts is begun again: what was called is off the list.
            due = deque(handlers)
            self._queue.put(lambda: self._call(event, due, payload), label=event)

    def _register(self, event: str, handler: H) -> H:
        if not callable(handler):
            raise ConfigurationError(f"the handler of {event!r} must be a function or another callable")
        self._handlers[event] = (*self._handlers[event], handler)
        return handler

    async def _call(self, event: str, due: deque[Handler], payload: dict[str, Any]) -> None:
        while due:
            handler = due.popleft()
            try:
                await _run(handler, payload)
            except Exception as error:  # noqa: BLE001 - whatever a host's handler raises stays with it
                logger.error(  # noqa: TRY400 - a traceback would show the payload
                    "handler %s of event %s failed: %s %s",
                    _name(handler),
                    event,
                    type(error).__name__,
                    _mismatch(handler, payload, error) or _place(error),
                )


async def _run(handler: Handler, payload: dict[str, Any]) -> None:
    if _is_async(handler):
        await handler(**payload)
        return
    result = await asyncio.to_thread(handler, **payload)
    if inspect.isawaitable(result):  # a lambda around a coroutine function, for example
        await result


def _is_async(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(type(handler), "__call__", None)  # noqa: B004 - the method itself is asked, not callability
    )


def _name(handler: Handler) -> str:
    name = getattr(handler, "__qualname__", None) or type(handler).__qualname__
    return one_line(f"{getattr(handler, '__module__', None) or '?'}.{name}", 200)


def _mismatch(handler: Handler, payload: dict[str, Any], error: Exception) -> str | None:
    """Which arguments the handler does not take, or takes and is not given; None if it fits."""
    if isinstance(error, TypeError):
        try:
            inspect.signature(handler).bind(**payload)
        except TypeError as misfit:  # names arguments, never their values
            return f"({one_line(misfit, 120)})"
        except ValueError:  # a builtin, which has no signature
            return None
    return None


def _place(error: BaseException) -> str:
    """File and line where the error was raised, in place of a message that may quote the payload."""
    trace = error.__traceback__
    if trace is None:
        return "at an unknown place"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return one_line(f"at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}", 200)
