"""The one way from repositories to Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.asyncio.connection import ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from regstack.errors import BackendTimeout, BackendUnavailable, ConfigurationError, InvalidText
from regstack_redis_sample.connections import Connections
from regstack_redis_sample.errors import meaning_of, word_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from regstack.config.schema import RegStackConfig
    from regstack_redis_sample.script import Script


class Server:
    """Sends commands within a deadline, and translates errors.

    Args:
        config: where the server is, how long to wait, how many connections to keep.
    """

    def __init__(self, config: RegStackConfig) -> None:
        self._timeout = config.db_timeout_seconds
        self._size = config.db_pool_size
        self._connect_timeout = config.db_connect_timeout_seconds
        self._connections: dict[asyncio.AbstractEventLoop, Connections] = {}
        try:
            given = parse_url(config.database_url.get_secret_value())
        except ValueError:
            # The driver's message may quote a part of the URL.
            raise ConfigurationError(
                "database_url is no Redis URL; write redis://user:password@host:6379/0, "
                "with special characters of the password as %XX"
            ) from None
        # What the URL says after `?` must not change these.
        needed: dict[str, Any] = {
            "decode_responses": True,
            "encoding": "utf-8",
            "encoding_errors": "strict",
            "health_check_interval": 0,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_timeout": False,
            "socket_connect_timeout": self._connect_timeout,
            "socket_timeout": None,
        }
        # Of the driver's pool, only the making of connections is used; see `Connections`.
        self._maker = ConnectionPool(**{**dict[str, Any](given), **needed})

    async def read(self, *command: Any) -> Any:
        """Run a command that changes nothing."""
        return await self._answer(command, None, writes=False)

    async def write(self, *command: Any) -> Any:
        """Run a command that may change something."""
        return await self._answer(command, None, writes=True)

    async def run(self, script: Script, *arguments: Any, writes: bool) -> Any:
        """Run a script: the first argument is its one key, the prefix of all keys."""
        return await self._answer(("EVALSHA", script.sha, 1, *arguments), script, writes=writes)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        connections = self._connections.pop(asyncio.get_running_loop(), None)
        if connections is not None:
            await connections.aclose()

    async def _answer(self, command: tuple[Any, ...], script: Script | None, *, writes: bool) -> Any:
        until = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout_at(until):
                try:
                    return await self._exchange(command, script, until if writes else None)
                except BackendUnavailable:
                    if writes:
                        raise
                return await self._exchange(command, script, None)
        except TimeoutError as error:
            raise BackendTimeout(
                f"Redis did not answer for {self._timeout:g} s (db_timeout_seconds)", outcome_unknown=writes
            ) from error
        except UnicodeEncodeError:
            raise InvalidText from None

    async def _exchange(
        self, command: tuple[Any, ...], script: Script | None, settled_until: float | None
    ) -> Any:
        """Send a command once; one that writes is given the time until which it must be settled."""
        sent = False
        try:
            async with self._here().lend() as connection:
                sent = True
                asking = self._ask(connection, command, script)
                return await (asking if settled_until is None else _settled(asking, settled_until))
        except (RedisError, OSError) as error:
            raise meaning_of(error, maybe_written=sent and settled_until is not None) from error

    async def _ask(self, connection: Any, command: tuple[Any, ...], script: Script | None) -> Any:
        try:
            await connection.send_command(*command)
            return await connection.read_response()
        except NoScriptError:
            if script is None:
                raise
            # Nothing was run. EVAL runs the script, and the server knows it from then on.
            await connection.send_command("EVAL", script.source, *command[2:])
            return await connection.read_response()
        except RedisError as error:
            if word_of(error) == "READONLY":
                # After a failover, the same name may stand for another server.
                await connection.disconnect(nowait=True)
            raise

    def _here(self) -> Connections:
        # A connection belongs to the event loop in which it was opened.
        loop = asyncio.get_running_loop()
        if loop not in self._connections:
            for former in [each for each in self._connections if each.is_closed()]:
                del self._connections[former]
            self._connections[loop] = Connections(
                self._maker.make_connection, self._size, self._connect_timeout
            )
        return self._connections[loop]


async def _settled(asking: Coroutine[Any, Any, Any], until: float) -> Any:
    """Wait for an answer, and after a cancellation too, until the deadline.

    The server runs what it was sent, even where nobody waits for it any more. A caller that was
    cancelled and looks next must find a state that stays.
    """
    task = asyncio.ensure_future(asking)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=max(0, until - asyncio.get_running_loop().time()))
        raise
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            # Seen, so that asyncio does not complain of it where the cancellation is raised instead.
            task.exception()
