"""How often a request waits for storage, one wait after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, TypeVar

from regstack import RegStack
from regstack.backends.sql.executor import Transaction
from tests.servers.mongo import sent_by_the_driver
from tests.tap import tapped

T = TypeVar("T")

TURNS = 40
"""Turns of the event loop without a request after which none is on its way."""


class Waits:
    """Lets all round trips take equally long, and counts them.

    A wait begins with a request while none is under way. Whatever is asked until its answers pass
    shares it; they pass together, once all have come and nothing more is asked. So what is sent
    together is one wait on a machine of any speed, and what needs an answer first is another.
    Computing takes no time beside it (`computing`).

    Args:
        prepares: says of a request that it only prepares a statement at its first use on a connection,
            which is no round trip of its own (COM-13): what is sent next belongs to the same wait.
    """

    def __init__(self, *, prepares: Callable[[bytes], bool] = lambda _: False) -> None:
        self._prepares = prepares
        self._seen: list[list[str]] = []
        self._asked = 0
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._pass: asyncio.Event | None = None
        self._pacing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Forget what was counted."""
        self._seen.clear()

    def seen(self) -> list[list[str]]:
        """Give for each wait what was asked in it."""
        return [list(wait) for wait in self._seen if wait]

    def asked(self, request: bytes) -> None:
        """Take notice of a request."""
        self._note(request)
        self._begun()

    async def answered(self, request: bytes) -> None:
        """Return when the answer may pass."""
        turn = self._pass
        self._ended()
        if turn is not None and not self._prepares(request):
            await turn.wait()

    async def during(self, what: str, running: Awaitable[T], *, behind: bool = False) -> T:
        """Wait for something that is as good as a round trip.

        Args:
            what: to be seen.
            running: it.
            behind: it goes on after others whose answers it must not hold.
        """
        if behind:
            self._note(what.encode())
            return await running
        self.asked(what.encode())
        try:
            return await running
        finally:
            await self.answered(what.encode())

    async def computing(self, running: Awaitable[T]) -> T:
        """Let no answer pass until something is computed."""
        self._begun()
        try:
            return await running
        finally:
            self._ended()

    def _note(self, request: bytes) -> None:
        if self._pass is None:
            self._pass = asyncio.Event()
            self._pacing = asyncio.get_running_loop().create_task(self._pace(self._pass))
            self._seen.append([])
        self._asked += 1
        if not self._prepares(request):
            self._seen[-1].append(_told(request))

    def _begun(self) -> None:
        self._under_way += 1
        self._quiet.clear()

    def _ended(self) -> None:
        self._under_way -= 1
        if self._under_way == 0:
            self._quiet.set()

    async def _pace(self, turn: asyncio.Event) -> None:
        asked = 0
        while asked != self._asked or self._under_way:
            await self._quiet.wait()
            asked = self._asked
            for _ in range(TURNS):
                await asyncio.sleep(0)
        self._pass = None
        turn.set()


def prepares_on_postgres(request: bytes) -> bool:
    """Say whether messages to PostgreSQL parse a statement and do not execute it."""
    at, types = 0, set()
    while request[:1] == b"P" and len(request) >= at + 5:
        types.add(request[at : at + 1])
        at += 1 + int.from_bytes(request[at + 1 : at + 5], "big")
    return bool(types) and not types & {b"E", b"Q"}


def _told(request: bytes) -> str:
    """Give what a request says, as far as it can be read."""
    return bytes(byte for byte in request if 32 <= byte < 127).decode()[:80]


def count_sqlite(rs: RegStack, waits: Waits) -> None:
    """Count what an instance on SQLite hands to its executor.

    There is no wire. A statement that waits for the one writer is under way, but not one that waits
    for the end of a transaction.
    """
    executor: Any = rs.backend.executor  # type: ignore[attr-defined]
    rows, count, begin = executor.raw_rows, executor.raw_count, executor.raw_transaction
    in_transaction = False

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Transaction]:
        nonlocal in_transaction
        in_transaction = True
        around = begin()
        begun = await waits.during("BEGIN", around.__aenter__())
        try:
            yield _Watched(begun, waits)
        except BaseException as error:
            if not await waits.during("ROLLBACK", around.__aexit__(type(error), error, None)):
                raise
        else:
            await waits.during("COMMIT", around.__aexit__(None, None, None))
        finally:
            in_transaction = False

    async def raw_rows(statement: Any, given: Any) -> Any:
        behind = in_transaction and statement.writes
        return await waits.during(statement.sql, rows(statement, given), behind=behind)

    async def raw_count(statement: Any, given: Any) -> Any:
        return await waits.during(statement.sql, count(statement, given), behind=in_transaction)

    executor.raw_rows, executor.raw_count, executor.raw_transaction = raw_rows, raw_count, transaction


class _Watched(Transaction):
    def __init__(self, transaction: Transaction, waits: Waits) -> None:
        self._transaction = transaction
        self._waits = waits

    async def fetch_rows(self, statement: Any, arguments: Any) -> Any:
        return await self._waits.during(statement.sql, self._transaction.fetch_rows(statement, arguments))

    async def run(self, statement: Any, arguments: Any) -> int:
        return await self._waits.during(statement.sql, self._transaction.run(statement, arguments))

    async def lock(self, name: str) -> None:
        await self._transaction.lock(name)


def count_on_the_wire(url: str, waits: Waits) -> AbstractContextManager[None]:
    """Count what is sent over the connections to a server that are opened meanwhile."""
    return tapped(waits, is_upkeep=sent_by_the_driver if url.startswith("mongodb") else _is_greeting)


def _is_greeting(request: bytes) -> bool:
    """Say whether PostgreSQL is greeted: such a message has no type, or carries the password."""
    return request[:1] in {b"\0", b"p"}
