"""Cancels a task at one of the places where it waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

DEADLINE_SECONDS = 60
"""After which an operation is taken to hang on its cancellation."""


@dataclass(slots=True)
class Cancelled:
    """What became of an operation that was cancelled.

    Attributes:
        reached: it waited so often that it was cancelled at all.
        value: what it answered, where it went on to its end.
        error: what it raised; `CancelledError` where it gave up.
    """

    reached: bool
    value: Any = None
    error: BaseException | None = None


async def cancelled_at(wait: int, operation: Coroutine[Any, Any, Any], *, times: int = 1) -> Cancelled:
    """Run an operation in a task of its own, and cancel it when it waits for the `wait`-th time.

    Args:
        wait: counted from 1; every time that control goes back to the event loop counts.
        operation: not started yet.
        times: at how many waits in a row.

    Raises:
        TimeoutError: it did not end.
    """
    outcome = Cancelled(reached=False)

    def cancel() -> None:
        outcome.reached = True
        asyncio.get_running_loop().call_soon(task.cancel)

    async def run() -> Any:
        return await _run(operation, range(wait, wait + times), cancel)

    task = asyncio.create_task(run())
    done, _ = await asyncio.wait({task}, timeout=DEADLINE_SECONDS)
    if not done:
        raise TimeoutError
    if task.cancelled():
        outcome.error = asyncio.CancelledError()
    else:
        outcome.error = task.exception()
        outcome.value = task.result() if outcome.error is None else None
    return outcome


@coroutine
def _run(operation: Coroutine[Any, Any, Any], chosen: range, cancel: Any) -> Generator[Any, Any, Any]:
    waits, value, error = 0, None, None
    while True:
        try:
            waited_for = operation.send(value) if error is None else operation.throw(error)
        except StopIteration as end:
            return end.value
        waits += 1
        if waits in chosen:
            cancel()
        value, error = None, None
        try:
            value = yield waited_for
        except BaseException as thrown:  # noqa: BLE001 - the operation gets it
            error = thrown
