"""Notices to other processes, by LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import asyncpg

from regstack.backends.changes import ANYTHING, Change, ChangeFeed
from regstack.errors import BackendUnavailable, ConfigurationError
from regstack_postgres.address import Address
from regstack_postgres.source import PoolSource

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from regstack.config.schema import RegStackConfig
    from regstack_postgres.executor import PostgresExecutor

SECONDS_OF_SILENCE = 10.0
"""After so much silence the server is asked for a sign of life."""

_LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class PostgresChanges(ChangeFeed):
    """A channel of the database, named after the table prefix.

    Notices are sent on the connections of all statements, which a pooler may stand before; they
    are heard on one of their own, which must lead to the server itself (`db_notify_url`). Where
    two schemas use one prefix, their processes hear of each other's changes and forget too much.

    Args:
        url: value of `db_notify_url`.
        executor: sends notices.
        config: says which channel, and how long to wait for a connection.

    Raises:
        ConfigurationError: the URL cannot be read.
    """

    def __init__(self, url: str, executor: PostgresExecutor, config: RegStackConfig) -> None:
        self._executor = executor
        self._channel = f"{config.table_prefix}changes"
        self._connect_timeout = config.db_connect_timeout_seconds
        try:
            self._address = Address.parse(url)
        except ConfigurationError as error:
            raise ConfigurationError(str(error).replace("database_url", "db_notify_url")) from None

    async def announce(self, change: Change) -> None:  # noqa: D102
        await self._executor.ask(
            "SELECT pg_catalog.pg_notify($1, $2)", self._channel, f"{change.user_id or ''} {change.jti or ''}"
        )

    async def listen(self) -> AsyncGenerator[Change, None]:  # noqa: D102
        source = PoolSource(
            self._address,
            size=1,
            connect_timeout=self._connect_timeout,
            statement_timeout=self._connect_timeout,
            statement_cache_size=0,
        )
        connection = await source.acquire()
        heard: asyncio.Queue[str | None] = asyncio.Queue()
        try:
            connection.add_termination_listener(lambda _: heard.put_nowait(None))
            await connection.add_listener(self._channel, lambda *notice: heard.put_nowait(notice[-1]))
            await self._hear_myself(heard)
            yield ANYTHING
            while True:
                yield await self._next(heard, connection)
        except _LOST as error:
            raise BackendUnavailable(
                f"the server of db_notify_url does not answer ({type(error).__name__})"
            ) from None
        finally:
            connection.terminate()
            await source.give_back(connection)
            await source.aclose()

    async def _hear_myself(self, heard: asyncio.Queue[str | None]) -> None:
        """Announce what concerns nobody, and wait for it: a pooler takes a LISTEN and delivers nothing."""
        probe = Change(jti=f"nobody's-{secrets.token_hex(16)}")
        await self.announce(probe)
        try:
            async with asyncio.timeout(self._connect_timeout):
                while _read(await heard.get()) != probe:
                    pass
        except TimeoutError:
            raise BackendUnavailable(
                "no notice arrives by db_notify_url; does it lead to the database of database_url, and past "
                "any pooler in transaction mode?"
            ) from None

    async def _next(self, heard: asyncio.Queue[str | None], connection: Any) -> Change:
        while True:
            try:
                async with asyncio.timeout(SECONDS_OF_SILENCE):
                    return _read(await heard.get())
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=self._connect_timeout)


def _read(text: str | None) -> Change:
    if text is None:
        raise BackendUnavailable("the connection of db_notify_url broke off")
    user_id, _, jti = text.partition(" ")
    return Change(user_id or None, jti or None)
