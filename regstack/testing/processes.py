"""Other processes that make calls, for contests that no lock within one process can decide."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from regstack.testing.contest import Call, Outcome
    from regstack.testing.harness import ProcessSpec


class WorkerFailed(RuntimeError):
    """A worker process raised something that is no outcome; the text is its traceback."""


class Fleet:
    """Worker processes, each with its own backend over one namespace.

    Args:
        size: how many.
    """

    def __init__(self, size: int = 2) -> None:
        self._workers = [
            subprocess.Popen(
                [sys.executable, "-m", "regstack.testing.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for _ in range(size)
        ]

    async def open(self, spec: ProcessSpec, now: datetime) -> None:
        """Let every worker open the namespace, with a clock that stands at `now`."""
        await self._tell_all([("open", dict(spec.settings), now)] * len(self._workers))

    async def make_at_once(self, calls: Sequence[Call], delays: Sequence[int]) -> list[Outcome]:
        """Make all calls, dealt out to the workers, started together; outcomes in the same order."""
        size = len(self._workers)
        shares = [("load", list(calls[number::size]), list(delays[number::size])) for number in range(size)]
        await self._tell_all(shares)
        answers = await self._tell_all([("go",)] * size)
        return [answers[number % size][number // size] for number in range(len(calls))]

    async def close_backends(self) -> None:
        """Let every worker close its backend."""
        await self._tell_all([("close",)] * len(self._workers))

    def stop(self) -> None:
        """End the processes."""
        for worker in self._workers:
            if worker.stdin is not None:
                worker.stdin.close()
        for worker in self._workers:
            try:
                worker.wait(timeout=10)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()

    async def _tell_all(self, messages: Sequence[tuple[Any, ...]]) -> list[Any]:
        for worker, message in zip(self._workers, messages, strict=True):
            pickle.dump(message, _pipe(worker.stdin))
            _pipe(worker.stdin).flush()
        answers = [await asyncio.to_thread(pickle.load, _pipe(worker.stdout)) for worker in self._workers]
        for kind, answer in answers:
            if kind != "ok":
                raise WorkerFailed(answer)
        return [answer for _, answer in answers]


def _pipe(stream: Any) -> Any:
    if stream is None:
        raise RuntimeError("the worker has no pipe")
    return stream
