"""Reads that wait in the same turn of the event loop share one round trip."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import TYPE_CHECKING, Generic, TypeVar

from regstack.errors import BackendTimeout, BackendUnavailable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Task
    from collections.abc import Awaitable, Callable, Sequence

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger(__name__)

MOST = 64
"""Reads in one round trip."""


class Coalesced(Generic[K, V]):
    """A read in two forms, alone and with others; called with a key, it gives the key's answer.

    The first caller lets the event loop go round once. Whoever asks meanwhile joins it, and all of
    them are answered by one call of `many`; a caller that stays alone is answered by `one`, in its
    own task. So each answer comes from a read that was sent after it was asked for, and nobody
    waits for a read that is under way.

    Callers do not feel each other. One that is cancelled, or whose time is up, leaves; the read
    goes on for the rest. Where `many` fails for another reason than a database that is away or
    late, as it does for a key that the driver refuses, each is asked for by itself, so that the
    error reaches only those who caused it.

    Use it for reads alone, and never within a transaction: the read runs on whatever connection
    the executor takes, in a task and context of its own.

    Args:
        one: reads what one key stands for.
        many: reads what several keys stand for; gives an answer for each, in their order.
        most: keys in one call of `many`.
    """

    def __init__(
        self,
        one: Callable[[K], Awaitable[V]],
        many: Callable[[Sequence[K]], Awaitable[Sequence[V]]],
        *,
        most: int = MOST,
    ) -> None:
        self._one = one
        self._many = many
        self._most = most
        self._open: _Batch[K, V] | None = None
        self._sent: set[Task[None]] = set()

    async def __call__(self, key: K) -> V:
        """Give the answer for a key.

        Raises:
            Exception: what `one` or `many` raise.
        """
        loop = asyncio.get_running_loop()
        batch = self._open
        if batch is not None and batch.loop is loop and len(batch.asked) < self._most:
            return await batch.ask(key)
        batch = self._open = _Batch(loop)
        first = batch.ask(key)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            first.cancel()
            raise
        finally:
            if self._open is batch:
                self._open = None
            if len(batch.asked) > 1:
                self._send(batch)
        return await (first if len(batch.asked) > 1 else self._one(key))

    def _send(self, batch: _Batch[K, V]) -> None:
        # In an empty context, since what one caller has set there is not for the others.
        task = batch.loop.create_task(self._answer(batch), context=Context())
        self._sent.add(task)
        task.add_done_callback(self._sent.discard)

    async def _answer(self, batch: _Batch[K, V]) -> None:
        asked = batch.still_asked()
        if not asked:
            return
        try:
            answers = await self._many([key for key, _ in asked])
            if len(answers) != len(asked):
                raise ValueError(f"{len(asked)} keys were asked for, and {len(answers)} answers came")
        except (BackendUnavailable, BackendTimeout) as error:
            for _, waiting in asked:
                _fail(waiting, error)
        except Exception as error:  # noqa: BLE001 - each meets its own error, if it has one
            alone = (self._answer_alone(key, waiting) for key, waiting in asked)
            await asyncio.gather(*alone, return_exceptions=True)
            if not any(waiting.cancelled() or waiting.exception() for _, waiting in asked):
                kind = type(error).__name__
                logger.warning("a read of %d keys failed with %s, none of them by itself", len(asked), kind)
        except BaseException:  # the event loop is being ended
            for _, waiting in asked:
                waiting.cancel()
            raise
        else:
            for (_, waiting), answer in zip(asked, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)

    async def _answer_alone(self, key: K, waiting: Future[V]) -> None:
        try:
            answer = await self._one(key)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            _fail(waiting, error)
        except BaseException:  # the event loop, or the backend, is being ended
            waiting.cancel()
            raise
        else:
            if not waiting.done():
                waiting.set_result(answer)


class _Batch(Generic[K, V]):
    """Keys that will be asked for together, and who waits for each."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.asked: list[tuple[K, Future[V]]] = []

    def ask(self, key: K) -> Future[V]:
        waiting: Future[V] = self.loop.create_future()
        self.asked.append((key, waiting))
        return waiting

    def still_asked(self) -> list[tuple[K, Future[V]]]:
        return [(key, waiting) for key, waiting in self.asked if not waiting.done()]


def _fail(waiting: Future[V], error: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(error)
        waiting.exception()  # whoever waited may be cancelled in this very turn, and never ask
