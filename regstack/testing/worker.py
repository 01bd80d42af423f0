"""A process that makes calls for a contest: `python -m regstack.testing.worker`.

Messages arrive pickled on standard input and are answered on standard output. Only
`regstack.testing.processes` starts it, and nobody else can reach the pipes.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import traceback
from typing import TYPE_CHECKING, Any

from regstack.auth.clock import FrozenClock
from regstack.testing.contest import make_at_once
from regstack.testing.harness import opener

if TYPE_CHECKING:
    from regstack.backends.base import Backend


class Worker:
    """Holds the backend between messages."""

    def __init__(self) -> None:
        self._open = opener()
        self._backend: Backend | None = None
        self._share: tuple[Any, Any] = ([], [])

    async def answer(self, kind: str, *rest: Any) -> Any:
        """Do what a message asks."""
        if kind == "go" and self._backend is not None:
            calls, delays = self._share
            return await make_at_once(calls, [self._backend], delays)
        if kind == "load":
            self._share = (rest[0], rest[1])
        if kind in {"open", "close"} and self._backend is not None:
            await self._backend.aclose()
            self._backend = None
        if kind == "open":
            settings, now = rest
            self._backend = self._open(settings, FrozenClock(now))
            await self._backend.users.count()
        return None


async def serve() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    sys.stdout = sys.stderr
    worker = Worker()
    while True:
        try:
            message = await asyncio.to_thread(pickle.load, sys.stdin.buffer)
        except EOFError:
            break
        try:
            answer = ("ok", await worker.answer(*message))
        except Exception:  # noqa: BLE001 - the parent reports it
            answer = ("failed", traceback.format_exc())
        pickle.dump(answer, answers)
        answers.flush()
    await worker.answer("close")


if __name__ == "__main__":
    asyncio.run(serve())
