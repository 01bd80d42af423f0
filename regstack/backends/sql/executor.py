"""The one way from repositories to the driver.

::

    Queries            fetch_one, fetch_all, execute
    ├── Executor       each statement by itself, in autocommit; and transact()
    └── Transaction    all or nothing; and lock()
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sqlalchemy.exc import DBAPIError

from regstack.backends.sql.statement import Statement
from regstack.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    Conflict,
    InvalidText,
    RegStackError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.engine import Dialect
    from sqlalchemy.ext.asyncio import AsyncConnection

    from regstack.backends.sql.idiom import Idiom
    from regstack.backends.sql.statement import Clause

T = TypeVar("T")

MIGRATION_PATIENCE_SECONDS = 300.0
"""How long a process waits for another one that changes the schema."""

_MAX_TRIES_UNAVAILABLE = 3
_SHORTEST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.1
_MARGIN_SECONDS = 0.5
_MARGIN_SHARE = 0.3


class Locked(BackendTimeout):
    """Somebody else holds the lock, and nothing was done: safe to repeat until the deadline."""


class MissingTable(BackendError):
    """The schema was never installed, or under another prefix."""

    def __init__(self) -> None:
        super().__init__(
            "a table is missing: run `regstack migrate`, or await `install_schema()` at start-up; "
            "is `table_prefix` the one it was installed with?"
        )


class ConstraintViolation(Conflict):
    """A constraint refused the change; repositories turn it into the conflict's own error."""


class UniqueViolation(ConstraintViolation):
    """A value is taken.

    Attributes:
        constraint: the constraint's name where the server tells it, else the column's
            (`table.column`, the first where there are several).
    """

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__("a value that must be unique is taken")


class ForeignKeyViolation(ConstraintViolation):
    """A row refers to one that does not exist."""

    def __init__(self) -> None:
        super().__init__("the row that this one refers to does not exist")


class Queries(ABC):
    """Runs prepared statements with named parameters; rows are lists, read by position."""

    async def fetch_one(self, statement: Statement, **parameters: Any) -> list[Any] | None:
        """Run a statement; give its first row, if there is one."""
        rows = await self.fetch_rows(statement, statement.arguments(parameters))
        return statement.row(rows[0]) if rows else None

    async def fetch_all(self, statement: Statement, **parameters: Any) -> list[list[Any]]:
        """Run a statement; give all its rows."""
        rows = await self.fetch_rows(statement, statement.arguments(parameters))
        return [statement.row(row) for row in rows]

    async def execute(self, statement: Statement, **parameters: Any) -> int:
        """Run a statement without rows; give how many it changed."""
        return await self.run(statement, statement.arguments(parameters))

    @abstractmethod
    async def fetch_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        """Run a statement with the driver's arguments; give the driver's rows."""

    @abstractmethod
    async def run(self, statement: Statement, arguments: tuple[Any, ...]) -> int:
        """Run a statement with the driver's arguments; give how many rows it changed."""


class Transaction(Queries):
    """Statements that happen together or not at all."""

    @abstractmethod
    async def lock(self, name: str) -> None:
        """Wait until no other transaction holds the lock of this name, then hold it to the end."""


class Executor(Queries):
    """Runs statements within a deadline, repeats what is safe to repeat, and translates errors.

    A subclass says how one statement (`raw_rows`, `raw_count`) and one transaction
    (`raw_transaction`) are run, and what the driver's errors mean (`translate`).

    Args:
        dialect: compiles statements; needs positional parameters.
        timeout: deadline of one operation, in seconds.

    Attributes:
        idiom: how the server's SQL says what others say otherwise; a subclass states it.
    """

    idiom: Idiom

    def __init__(self, dialect: Dialect, *, timeout: float) -> None:
        self.dialect = dialect
        self.timeout = timeout

    def prepare(self, clause: Clause) -> Statement:
        """Make a statement of a clause; done once, when a repository is made."""
        return Statement(clause, self.dialect)

    async def fetch_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:  # noqa: D102
        return await self.within_deadline(
            lambda: self.raw_rows(statement, arguments), repeatable=not statement.writes
        )

    async def run(self, statement: Statement, arguments: tuple[Any, ...]) -> int:  # noqa: D102
        return await self.within_deadline(
            lambda: self.raw_count(statement, arguments), repeatable=not statement.writes
        )

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a body's statements together or not at all, within one deadline.

        They are committed when the body returns, and rolled back where it raises or is cancelled.
        The body runs again, from its beginning, where the transaction met a lock (two may wait for
        each other) or certainly did not happen; so it must change nothing but the database.
        """

        async def once() -> T:
            async with self.raw_transaction() as transaction:
                return await body(transaction)

        return await self.within_deadline(once, repeatable=False)

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[AsyncConnection]:
        """Change the schema in one transaction, without a deadline, since tables may be large."""
        try:
            async with self.raw_migration() as connection:
                yield connection
        except Exception as error:  # noqa: BLE001 - raised again, as what it means
            self._raise(error)

    @asynccontextmanager
    async def inspection(self) -> AsyncIterator[AsyncConnection]:
        """Look at the schema, within one deadline."""
        try:
            async with asyncio.timeout(self.timeout), self.raw_inspection() as connection:
                yield connection
        except Exception as error:  # noqa: BLE001 - raised again, as what it means
            self._raise(error)

    async def within_deadline(self, once: Callable[[], Awaitable[T]], *, repeatable: bool) -> T:
        """Run `once`, again while that is safe, at most until the deadline.

        Args:
            once: one attempt.
            repeatable: it may run twice even if the first attempt's end is not known.

        Raises:
            BackendError: a translated driver error; `BackendTimeout` at the deadline, of unknown
                outcome where it is not repeatable.
        """
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(begun + self.timeout):
                try:
                    return await once()
                except Exception as error:  # noqa: BLE001 - examined and raised again
                    first = error
                until = _last_try(begun, self.timeout)
                return await self._again(once, first, repeatable=repeatable, until=until)
        except TimeoutError as error:
            raise self._late(outcome_unknown=not repeatable) from error

    async def repeated(
        self, once: Callable[[], Awaitable[T]], *, repeatable: bool, timeout: float | None = None
    ) -> T:
        """Run `once`, again while that is safe; stops by itself shortly before the deadline.

        Args:
            once: one attempt.
            repeatable: it may run twice even if the first attempt's end is not known.
            timeout: in place of the executor's, in seconds.
        """
        begun = asyncio.get_running_loop().time()
        try:
            return await once()
        except Exception as error:  # noqa: BLE001 - examined and raised again
            first = error
        until = _last_try(begun, self.timeout if timeout is None else timeout)
        return await self._again(once, first, repeatable=repeatable, until=until)

    async def _again(
        self, once: Callable[[], Awaitable[T]], first: Exception, *, repeatable: bool, until: float
    ) -> T:
        """Repeat after a first attempt that failed, if that is safe; else raise what it came to."""
        if not _may_repeat(self.translated(first), repeatable):
            self._raise(first)

        async def attempt() -> T:
            try:
                return await once()
            except Exception as error:  # noqa: BLE001 - raised again, as what it means
                self._raise(error)

        from tenacity import (  # noqa: PLC0415 - only where something went wrong
            AsyncRetrying,
            RetryCallState,
            retry_if_exception,
            wait_random_exponential,
        )

        def given_up(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            tries = state.attempt_number + 1
            if asyncio.get_running_loop().time() + state.upcoming_sleep > until:
                return True
            return tries >= _MAX_TRIES_UNAVAILABLE and not isinstance(error, Locked)

        pause = wait_random_exponential(
            multiplier=_SHORTEST_PAUSE_SECONDS, min=_SHORTEST_PAUSE_SECONDS, max=_LONGEST_PAUSE_SECONDS
        )
        retrying = AsyncRetrying(
            wait=pause,
            stop=given_up,
            retry=retry_if_exception(lambda error: _may_repeat(error, repeatable)),
            reraise=True,
        )
        await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
        return await retrying(attempt)

    def _raise(self, error: Exception) -> NoReturn:
        seen = self.translated(error)
        if seen is error:
            if isinstance(error, RegStackError):
                error.__context__ = None  # the driver's own error, with all that it quotes
            raise error
        raise seen from _original(error)

    def _late(self, *, outcome_unknown: bool) -> BackendTimeout:
        return BackendTimeout(
            f"the database did not answer for {self.timeout:g} s (db_timeout_seconds)",
            outcome_unknown=outcome_unknown,
        )

    def translated(self, error: Exception) -> Exception:
        """Give the error of `regstack.errors` that a caller sees in place of `error`."""
        if isinstance(error, TimeoutError):
            return self._late(outcome_unknown=False)
        if isinstance(error, UnicodeEncodeError):
            return InvalidText()
        return self.translate(error) or error

    @abstractmethod
    def translate(self, error: Exception) -> BackendError | None:
        """Say what a driver's error means; None for an error that is not the driver's.

        `Locked` where nothing was done and a repeat is safe, `BackendUnavailable` with
        `outcome_unknown` where a write may have been committed, `UniqueViolation`,
        `ForeignKeyViolation`, or a plain `BackendError`.
        """

    @abstractmethod
    async def raw_rows(self, statement: Statement, arguments: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        """Run one statement in autocommit, once; the driver's errors may escape."""

    @abstractmethod
    async def raw_count(self, statement: Statement, arguments: tuple[Any, ...]) -> int:
        """Run one statement in autocommit, once; the driver's errors may escape."""

    @abstractmethod
    def raw_transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that may write; the driver's errors may escape."""

    @abstractmethod
    def raw_migration(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that may change the schema, and excludes others that do.

        It waits for those at most `MIGRATION_PATIENCE_SECONDS`; the driver's errors may escape.
        """

    def raw_inspection(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a connection that only reads the schema; the driver's errors may escape.

        Override it where that needs no lock.
        """
        return self.raw_migration()

    @abstractmethod
    async def aclose(self) -> None:
        """Close what this executor opened."""


def _last_try(begun: float, seconds: float) -> float:
    """Give the time after which nothing is tried any more, shortly before the deadline.

    So the error that is raised in the end is the last attempt's, and not that time is up.
    """
    return begun + seconds - min(_MARGIN_SECONDS, seconds * _MARGIN_SHARE)


def _may_repeat(error: BaseException, repeatable: bool) -> bool:
    if isinstance(error, Locked):
        return True
    return isinstance(error, BackendUnavailable) and (repeatable or not error.outcome_unknown)


def _original(error: Exception) -> BaseException:
    """The driver's own error; SQLAlchemy's would show the statement's parameters."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error
