"""The one way from repositories to the driver: a connection for each event loop, deadlines, errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import pymongo

from regstack.errors import BackendTimeout, BackendUnavailable
from regstack_mongo.connection import Connection
from regstack_mongo.errors import meaning_of, redacted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from regstack_mongo.source import Source

T = TypeVar("T")

_PATIENCE_SECONDS = 1.0
_MARGIN_SECONDS = 0.5


class Executor:
    """Runs operations within a deadline, and translates errors.

    The driver keeps the deadline: it bounds the choice of a server, the wait for a connection and
    the answer, tells it to the server, and within it repeats reads, and writes that the server
    recognises (a replica set does). Everything else is left to the caller.

    Args:
        source: where the client comes from.
        prefix: begins the names of the collections.
        timeout: deadline of one operation, in seconds.
        connect_timeout: deadline of the first contact with the server, in seconds. Later on an
            operation may use its whole deadline to wait for a server, a new primary for example.
    """

    def __init__(self, source: Source, *, prefix: str, timeout: float, connect_timeout: float) -> None:
        self.source = source
        self.prefix = prefix
        self.timeout = timeout
        self._connect_timeout = connect_timeout
        self._connection: Connection | None = None
        self._opening: asyncio.Task[Connection] | None = None

    async def read(self, operation: Callable[[Connection], Awaitable[T]], *, installed: bool = True) -> T:
        """Run an operation that changes nothing.

        Args:
            operation: gets the connection.
            installed: it needs the schema.
        """
        return await self._to_the_end(self._run(operation, self.timeout, writes=False, installed=installed))

    async def write(
        self,
        operation: Callable[[Connection], Awaitable[T]],
        *,
        timeout: float | None = None,
        several: bool = False,
        installed: bool = True,
    ) -> T:
        """Run an operation that changes something.

        Args:
            operation: gets the connection.
            timeout: goes before the usual deadline, in seconds.
            several: it sends several commands, so that one which was certainly not done says
                nothing of those before it.
            installed: it needs the schema.
        """
        running = self._run(
            operation, timeout or self.timeout, writes=True, several=several, installed=installed
        )
        return await self._to_the_end(running)

    async def look(self, operation: Callable[[Connection], Awaitable[T]]) -> T:
        """Run an operation that looks at the servers, whether or not one of them takes writes.

        It gets a connection of its own, which has not greeted them.
        """

        async def look() -> T:
            connection = Connection(self.source, self.prefix, timeout=self._connect_timeout)
            try:
                return await operation(connection)
            finally:
                await connection.aclose()

        return await self._to_the_end(self._bounded(look, self.timeout, writes=False))

    async def _to_the_end(self, running: Coroutine[Any, Any, T]) -> T:
        """Run it in a task of its own, and wait for its end also when the waiting task is cancelled.

        What was sent to the server happens, also when nobody waits for it any more, so only its
        end settles the outcome of a write. And a command that is cut off costs its connection: the
        driver closes that, and forgets one that it is just opening.
        """
        task = asyncio.get_running_loop().create_task(running)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await _settled(task)
            raise

    async def _run(
        self,
        operation: Callable[[Connection], Awaitable[T]],
        timeout: float,
        *,
        writes: bool,
        several: bool = False,
        installed: bool = True,
    ) -> T:
        begun = False

        async def run() -> T:
            nonlocal begun
            connection = await self._opened()
            connection.check_primary()
            if installed and not connection.installed:
                await connection.check_installed()
            begun = several
            return await operation(connection)

        try:
            return await self._bounded(run, timeout, writes=writes)
        except (BackendUnavailable, BackendTimeout) as error:
            error.outcome_unknown = error.outcome_unknown or begun
            raise

    async def _bounded(self, once: Callable[[], Awaitable[T]], timeout: float, *, writes: bool) -> T:
        try:
            # The driver's own deadline ends first; this one is for waits that it knows nothing of.
            async with asyncio.timeout(timeout + _MARGIN_SECONDS):
                with pymongo.timeout(timeout):
                    return await once()
        except Exception as error:  # noqa: BLE001 - raised again, as what it means
            failed = error
        # Not above: an error raised there would keep the driver's own one as its context.
        raise self._meaning(failed, writes=writes)

    async def _opened(self) -> Connection:
        """Give this event loop's connection; whoever comes first opens it, the others wait for that."""
        loop = asyncio.get_running_loop()
        if self._connection is not None and self._connection.loop is loop:
            return self._connection
        opening = self._opening
        if opening is None or opening.done() or opening.get_loop() is not loop:
            opening = self._opening = loop.create_task(self._open())
            opening.add_done_callback(_seen)
        return await asyncio.shield(opening)

    async def _open(self) -> Connection:
        connection = Connection(self.source, self.prefix, timeout=self._connect_timeout)
        await connection.greet()
        self._connection = connection
        return connection

    def _meaning(self, error: Exception, *, writes: bool) -> Exception:
        meaning = meaning_of(error, writes=writes, timeout=self.timeout)
        if meaning is None:
            return error
        meaning.__cause__ = redacted(error)
        return meaning

    async def aclose(self) -> None:
        """Close this event loop's connection; the next operation opens another one."""
        opening, self._opening = self._opening, None
        if opening is not None and not opening.done() and opening.get_loop() is asyncio.get_running_loop():
            opening.cancel()
            await asyncio.wait({opening})
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()


def _seen(task: asyncio.Task[Connection]) -> None:
    """Take notice of an error that every waiting task was cancelled before."""
    if not task.cancelled():
        task.exception()


async def _settled(task: asyncio.Task[T]) -> None:
    """Wait for a task's end, however often the waiting one is cancelled meanwhile."""
    until = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while not task.done():
        left = until - asyncio.get_running_loop().time()
        if left <= 0:
            task.cancel()
        try:
            await asyncio.wait({task}, timeout=max(left, 0.01))
        except asyncio.CancelledError:
            continue
    if not task.cancelled():
        task.exception()
