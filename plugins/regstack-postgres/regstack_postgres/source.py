"""Where connections come from, and how they go back."""

from __future__ import annotations

import asyncio
import select
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from regstack.errors import BackendUnavailable, ConfigurationError
from regstack_postgres.errors import meaning_of, redacted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import PoolProxiedConnection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from regstack_postgres.address import Address, Host

CLEAN_UP_SECONDS = 0.5
"""How long a connection may take to become clean again; then it is closed instead."""

KEPT_SECONDS = 60.0
"""How long a connection may lie idle before it is closed instead of used: firewalls forget connections."""

_TURNS = 6
_REFUSALS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@dataclass(frozen=True, slots=True)
class Use:
    """How many connections there are.

    Attributes:
        most: how many there may be.
        open: how many there are.
        idle: how many of those nobody uses.
    """

    most: int
    open: int
    idle: int


class Source(ABC):
    """Lends connections in autocommit, with nothing left of what was done before."""

    def __init__(self) -> None:
        self._cleaning: set[asyncio.Task[None]] = set()

    async def acquire(self) -> Any:
        """Lend a connection.

        Raises:
            BackendUnavailable: none could be opened, so nothing was sent.
        """
        while True:
            try:
                connection = await self._take()
            except Exception as error:
                seen = meaning_of(error, outcome_unknown=False)
                if seen is not None:
                    raise seen from redacted(error)
                raise
            if not _has_news(connection):
                return connection
            try:
                ended = await _ends(connection)
            except BaseException:
                await self.recover(connection)
                raise
            if not ended:
                return connection
            await self.recover(connection)

    @abstractmethod
    async def _take(self) -> Any:
        """Lend a connection, which may have ended meanwhile; the driver's errors may escape."""

    async def give_back(self, connection: Any) -> None:
        """Take a connection back that has nothing open.

        Never fails: what was answered on it is done, whatever becomes of it.
        """
        await _taken_back(self._release, connection)

    @abstractmethod
    async def _release(self, connection: Any) -> None:
        """Give a connection back to its pool; the driver's errors may escape."""

    async def _return(self, connection: Any) -> None:
        """Give a connection back once what was cancelled on it is settled; the driver's errors may escape."""
        await self._release(connection)

    async def recover(self, connection: Any, *, in_transaction: bool = False) -> None:
        """Take a connection back in whatever state it is.

        A statement that is cancelled is waited for, so that its outcome is settled, but not for
        longer than `CLEAN_UP_SECONDS`. It goes on where the task is cancelled once more.
        """
        cleaning = asyncio.create_task(self._clean(connection, in_transaction))
        self._cleaning.add(cleaning)
        cleaning.add_done_callback(self._cleaning.discard)
        await asyncio.shield(cleaning)

    async def _clean(self, connection: Any, in_transaction: bool) -> None:
        try:
            async with asyncio.timeout(CLEAN_UP_SECONDS):
                await self._settle(connection, in_transaction)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, the next task gets another one
            connection.terminate()
        await _taken_back(self._return, connection)

    async def _settle(self, connection: Any, in_transaction: bool) -> None:
        if in_transaction and not connection.is_closed():
            await connection.execute("ROLLBACK")

    async def expire(self) -> None:  # noqa: B027 - a host's engine is the host's
        """Let no connection that is open now be used again."""

    def use(self) -> Use | None:
        """Say how many connections there are; None where that is not known."""
        return None

    @abstractmethod
    async def aclose(self) -> None:
        """Close what was opened here."""


class PoolSource(Source):
    """A pool of connections for one event loop at a time.

    To take a connection from the driver's pool and to give it back costs as much as the statement
    in between. So a connection stays out, and is used again, unless somebody waits for the pool.

    Args:
        address: where the servers are.
        size: connections at the most.
        connect_timeout: seconds in which a connection must be open, however many hosts are tried.
        statement_timeout: seconds after which the server ends a statement.
        statement_cache_size: prepared statements for each connection; with 0 nothing is sent that
            a pooler in transaction mode does not take.
    """

    def __init__(
        self,
        address: Address,
        *,
        size: int,
        connect_timeout: float,
        statement_timeout: float,
        statement_cache_size: int,
    ) -> None:
        super().__init__()
        self._address = address
        self._size = size
        self._connect_timeout = connect_timeout
        self._statement_cache_size = statement_cache_size
        self._hosts: list[Host | None] = list(address.hosts) if len(address.hosts) > 1 else [None]
        milliseconds = str(max(1, round(statement_timeout * 1000)))
        limits = {
            "statement_timeout": milliseconds,
            # A process that stands still must not hold a lock for the others.
            "idle_in_transaction_session_timeout": milliseconds,
        }
        self._settings = {
            name: value
            for name, value in limits.items()
            if statement_cache_size and name not in address.options
        }
        self._lent: dict[Any, Any] = {}
        self._kept: list[tuple[Any, float]] = []
        self._waiting = 0
        self._pool: asyncpg.Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def _opened(self) -> asyncpg.Pool:
        loop = asyncio.get_running_loop()
        if self._pool is None or self._loop is not loop:
            self._leave()
            self._loop = loop
            # Waits for nothing, since no connection is opened; so no other task comes between.
            self._pool = await asyncpg.create_pool(
                min_size=0, max_size=self._size, connect=self._connect, reset=_nothing
            )
        return self._pool

    async def _take(self) -> Any:
        loop = asyncio.get_running_loop()
        while self._kept and self._loop is loop:
            connection, since = self._kept.pop()
            if loop.time() - since < KEPT_SECONDS:
                return connection
            connection.terminate()
            await self._return(connection)
        pool = self._pool if self._loop is loop else None
        self._waiting += 1
        try:
            proxy = await (pool or await self._opened()).acquire()
        finally:
            self._waiting -= 1
        # The proxy forgets its connection, and answers nothing, as soon as that breaks off.
        connection = proxy._con  # noqa: SLF001
        self._lent[connection] = proxy
        return connection

    async def _connect(self, *_none: object, **arguments: Any) -> Any:
        """Open a connection to the first host that takes writes, the last one that did before all."""
        until = asyncio.get_running_loop().time() + self._connect_timeout
        last: Exception | None = None
        hosts = list(self._hosts)
        for at, host in enumerate(hosts):
            left = until - asyncio.get_running_loop().time()
            try:
                connection = await self._connect_to(host, max(0.0, left) / (len(hosts) - at), arguments)
            except _REFUSALS as error:
                last = _worse(last, error)
                continue
            if at:
                self._hosts = [*hosts[at:], *hosts[:at]]
            return connection
        raise self._explained(last) from (None if last is None else redacted(last))

    async def _connect_to(self, host: Host | None, seconds: float, arguments: dict[str, Any]) -> Any:
        if host is not None:
            arguments = arguments | {"host": host[0], "port": host[1] or 5432}
        return await asyncpg.connect(
            self._address.dsn,
            timeout=seconds,
            statement_cache_size=self._statement_cache_size,
            # Whatever the URL prefers, a standby would answer with what is no longer so (COM-15).
            target_session_attrs="read-write",
            server_settings=self._settings or None,
            **arguments,
        )

    def _explained(self, error: Exception | None) -> Exception:
        if isinstance(error, asyncpg.ClientConfigurationError | OSError):
            option = self._address.missing_file()
            if option is not None:
                return ConfigurationError(
                    f"the option {option} of database_url names a file that is not there or cannot be read; "
                    "correct the path"
                )
        if isinstance(error, asyncpg.ClientConfigurationError):
            return ConfigurationError(
                "the options of database_url or the PG… variables of the environment do not fit together; "
                "with sslmode=verify-full write sslrootcert too"
            )
        if isinstance(error, TimeoutError):
            return BackendUnavailable(
                f"no connection within {self._connect_timeout:g} s (db_connect_timeout_seconds); "
                "is the server running, and does the network reach it?"
            )
        known = meaning_of(error, outcome_unknown=False) if error is not None else None
        return known or BackendUnavailable()

    async def _release(self, connection: Any) -> None:
        loop = asyncio.get_running_loop()
        wanted = self._waiting or self._pool is None or self._loop is not loop
        if wanted or connection.is_closed():
            await self._return(connection)
        else:
            self._kept.append((connection, loop.time()))

    async def _return_kept(self) -> None:
        while self._kept:
            await _taken_back(self._return, self._kept.pop()[0])

    async def _return(self, connection: Any) -> None:
        """Give a connection back to the driver's pool, which waits for what was cancelled on it."""
        proxy = self._lent.pop(connection)
        await proxy._holder._pool.release(proxy, timeout=CLEAN_UP_SECONDS)  # noqa: SLF001

    async def expire(self) -> None:  # noqa: D102
        if self._pool is not None:
            await self._pool.expire_connections()
            await self._return_kept()

    def use(self) -> Use | None:  # noqa: D102
        if self._pool is None:
            return None
        return Use(self._size, self._pool.get_size(), self._pool.get_idle_size() + len(self._kept))

    async def aclose(self) -> None:  # noqa: D102
        if self._loop is not asyncio.get_running_loop():
            self._leave()
            return
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(CLEAN_UP_SECONDS):
                    await self._return_kept()
                    await pool.close()
            except _REFUSALS:
                pass  # it took too long, or a connection broke off while it was closed
            finally:
                pool.terminate()

    def _leave(self) -> None:
        """End the pool of another event loop, which is closed or belongs to another thread."""
        pool, loop, self._pool = self._pool, self._loop, None
        self._lent.clear()
        self._kept.clear()
        if pool is None or loop is None:
            return
        if loop.is_running():
            loop.call_soon_threadsafe(pool.terminate)
            return
        for holder in pool._holders:  # noqa: SLF001
            if holder._con is not None:  # noqa: SLF001
                _abandon(holder._con)  # noqa: SLF001


class EngineSource(Source):
    """Takes connections from a host's own engine for one operation, and gives them back.

    Raises:
        ConfigurationError: the engine has another driver.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__()
        if engine.dialect.driver != "asyncpg":
            raise ConfigurationError("the engine must use the driver asyncpg (postgresql+asyncpg://…)")
        self._engine = engine
        self._lenders: dict[Any, PoolProxiedConnection] = {}

    async def _take(self) -> Any:
        lender = await self._engine.raw_connection()
        connection = lender.driver_connection
        self._lenders[connection] = lender
        return connection

    async def _settle(self, connection: Any, in_transaction: bool) -> None:
        # Whatever is sent later waits for the cancellation, so its answer tells.
        if not connection.is_closed():
            await connection.execute("ROLLBACK" if in_transaction else "SELECT 1")

    async def _release(self, connection: Any) -> None:
        from sqlalchemy.util import greenlet_spawn  # noqa: PLC0415 - imported by the engine already

        lender = self._lenders.pop(connection)
        await greenlet_spawn(lender.invalidate if connection.is_closed() else lender.close)

    async def aclose(self) -> None:
        """Leave the engine open, with all connections back that are still being cleaned."""
        loop = asyncio.get_running_loop()
        here = [task for task in self._cleaning if task.get_loop() is loop]
        await asyncio.gather(*here, return_exceptions=True)


async def _taken_back(give: Callable[[Any], Awaitable[None]], connection: Any) -> None:
    try:
        await give(connection)
    except Exception:  # noqa: BLE001 - the next task gets another one
        with suppress(Exception):
            connection.terminate()


async def _nothing(_connection: object) -> None:
    """Stand in for the driver's own reset, a round trip: statements leave nothing in a session."""


def _worse(one: Exception | None, other: Exception) -> Exception:
    """Give the error that says more: a server that answers knows better than one that is silent."""
    return one if isinstance(one, asyncpg.PostgresError) else other


def _has_news(connection: Any) -> bool:
    """Say whether something arrived at an idle connection, which mostly is its end."""
    if connection.is_closed():
        return True
    poll = select.poll()
    try:
        poll.register(connection._transport.get_extra_info("socket").fileno(), select.POLLIN)  # noqa: SLF001
    except (AttributeError, ValueError, TypeError, OSError):
        return True
    return bool(poll.poll(0))


async def _ends(connection: Any) -> bool:
    """Let the event loop read what arrived; say whether the connection has ended."""
    for _ in range(_TURNS):
        if connection.is_closed():
            return True
        await asyncio.sleep(0)
    return bool(connection.is_closed())


def _abandon(connection: Any) -> None:
    """Close a connection whose event loop takes no calls any more."""
    transport = connection._transport  # noqa: SLF001
    with suppress(Exception):
        connection.terminate()
    # A closed loop does not run what `terminate` asks of it; this is what it would run.
    for name in ("_ssl_protocol", "_transport"):
        inner = getattr(transport, name, None)
        transport = inner if inner is not None else transport
    close = getattr(transport, "_call_connection_lost", None)
    if close is not None:
        with suppress(Exception):
            close(None)
