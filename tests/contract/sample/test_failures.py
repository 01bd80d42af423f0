"""What callers see when the server, or the way to it, fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import pytest
from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.errors import BackendError, BackendTimeout, BackendUnavailable, ConfigurationError
from regstack.testing.builders import Builder
from regstack.testing.fixtures import answered
from regstack_redis_sample.backend import RedisBackend
from regstack_redis_sample.connections import Connections
from regstack_redis_sample.errors import meaning_of
from tests.servers.redis import RedisServer

DEADLINE_SECONDS = 60
SLACK_SECONDS = 10
"""What a busy machine may add to a deadline; without one, nothing would end."""
Open = Callable[..., RedisBackend]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@asynccontextmanager
async def sending() -> AsyncIterator[asyncio.Event]:
    """Give an event that is set once a command was handed to the socket."""
    sent = asyncio.Event()
    send = AbstractConnection.send_packed_command

    async def watched(connection: Any, *args: Any, **kwargs: Any) -> None:
        await send(connection, *args, **kwargs)
        sent.set()

    with patch.object(AbstractConnection, "send_packed_command", watched):
        yield sent


async def until(asked: Callable[[], Awaitable[Any]]) -> None:
    """Ask until the answer is true."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await answered(asked):  # noqa: ASYNC110 - nobody tells this process
            await asyncio.sleep(0.001)


async def wait(event: asyncio.Event) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        await event.wait()


async def test_a_write_that_was_sent_and_got_no_answer_may_have_happened(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url)
    await backend.ping()
    server.pause()
    async with sending() as sent:
        task = asyncio.create_task(backend.users.create(make.user()))
        await wait(sent)
        server.kill()
        with pytest.raises(BackendUnavailable) as raised:
            await task
    assert raised.value.outcome_unknown
    assert raised.value.__cause__ is not None


async def test_a_read_is_sent_twice_and_a_write_once(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url)
    await backend.ping()
    reads, writes = [], []
    read = AbstractConnection.read_response

    async def broken(connection: Any, *args: Any, **kwargs: Any) -> Any:
        await read(connection, *args, **kwargs)
        await connection.disconnect(nowait=True)
        raise ConnectionResetError

    async def counted(connection: Any, command: Any, *args: Any, **kwargs: Any) -> None:
        text = repr(command)
        reads.extend(["HGETALL"] * ("HGETALL" in text))
        writes.extend(["ZADD"] * ("ZADD" in text))
        await send(connection, command, *args, **kwargs)

    send = AbstractConnection.send_packed_command
    user = await backend.users.create(make.user())
    driver = AbstractConnection
    with (
        patch.object(driver, "send_packed_command", counted),
        patch.object(driver, "read_response", broken),
        pytest.raises(BackendUnavailable) as raised,
    ):
        await backend.blacklist.revoke("jti", make.clock.now())
    assert raised.value.outcome_unknown
    assert len(writes) == 1

    breaks = [True]

    async def broken_once(connection: Any, *args: Any, **kwargs: Any) -> Any:
        if len(reads) == 1 and breaks and breaks.pop():
            return await broken(connection)
        return await read(connection, *args, **kwargs)

    with (
        patch.object(driver, "send_packed_command", counted),
        patch.object(driver, "read_response", broken_once),
    ):
        assert await backend.users.get_by_id(user.id) == user
    assert len(reads) == 2


async def test_nothing_was_written_where_no_connection_was_made(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url)
    server.kill()
    with pytest.raises(BackendUnavailable) as raised:
        await backend.users.create(make.user())
    assert not raised.value.outcome_unknown
    with pytest.raises(BackendUnavailable):
        await backend.ping()


async def test_after_a_restart_everything_works_on_at_once(opened: Open, make: Builder) -> None:
    with RedisServer(durable=True) as server:
        backend = opened(server.url)
        await backend.install_schema()
        user = await backend.users.create(make.user())
        server.kill()
        with pytest.raises(BackendUnavailable):
            await backend.ping()
        server.start()
        # A write first: the connection that broke must not be taken for one that can be used.
        assert await backend.users.record_login(user.id, make.clock.now())
        assert (await backend.ping()).server_version.startswith("Redis ")
        found = await backend.users.get_by_id(user.id)
        assert found is not None
        assert found.last_login == make.clock.now(), "what was acknowledged was lost"


async def test_a_connection_that_the_server_closed_is_not_used(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url, db_pool_size=1)
    user = await backend.users.create(make.user())
    for _ in range(20):
        assert server.send("CLIENT", "KILL", "TYPE", "normal") == ":1"
        # The end of the stream reaches this process when its event loop looks at the socket.
        (connection,) = backend._server._here()._idle
        await until(connection.can_read)
        assert await backend.users.record_login(user.id, make.clock.now())


async def test_a_server_that_hangs_costs_no_more_than_the_deadline(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url, db_timeout_seconds=0.3)
    user = await opened(server.url).users.create(make.user())
    loop = asyncio.get_running_loop()
    for call in (
        backend.ping,
        lambda: backend.users.get_by_id(user.id),
        lambda: backend.users.set_password(user.id, "new"),
    ):
        await answered(backend.ping)  # so that a connection is open
        server.pause()
        begun = loop.time()
        with pytest.raises(BackendTimeout):
            await call()
        assert loop.time() - begun < SLACK_SECONDS
        server.resume()
    found = await answered(lambda: backend.users.get_by_id(user.id))
    assert found is not None


async def test_a_server_that_takes_a_connection_and_does_not_greet_is_given_up(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url, db_connect_timeout_seconds=0.2)
    server.pause()
    loop = asyncio.get_running_loop()
    for call in (backend.ping, lambda: backend.users.create(make.user())):
        begun = loop.time()
        with pytest.raises(BackendUnavailable, match="db_connect_timeout_seconds") as raised:
            await call()
        assert not raised.value.outcome_unknown
        assert loop.time() - begun < SLACK_SECONDS
    server.resume()
    assert await answered(backend.ping)


async def test_an_answer_that_nobody_waits_for_any_more_never_answers_another_command(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url, db_pool_size=1)
    cancelled, other = await backend.users.create(make.user()), await backend.users.create(make.user())
    for _ in range(10):
        await backend.ping()  # so that a connection is open
        server.pause()
        async with sending() as sent:
            task = asyncio.create_task(backend.users.get_by_id(cancelled.id))
            await wait(sent)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.resume()
        assert await backend.users.get_by_id(other.id) == other


async def test_a_write_that_is_cancelled_is_settled_when_its_task_ends(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend, other = opened(server.url, db_pool_size=1), opened(server.url)
    user = await backend.users.create(make.user())
    for version in range(1, 11):
        await backend.ping()  # so that a connection is open
        server.pause()
        async with sending() as sent:
            task = asyncio.create_task(backend.users.set_password(user.id, f"new {version}"))
            await wait(sent)
        task.cancel()
        # It must not end while the server has not run what it was sent.
        assert not (await asyncio.wait([task], timeout=0.02))[0]
        server.resume()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await other.users.get_by_id(user.id)
        assert found is not None
        assert (found.hashed_password, found.token_version) == (f"new {version}", version)


async def test_a_write_that_is_cancelled_waits_no_longer_than_the_deadline(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url, db_pool_size=1, db_timeout_seconds=0.3)
    user = await opened(server.url).users.create(make.user())
    await answered(lambda: backend.users.set_password(user.id, "old"))
    server.pause()
    async with sending() as sent:
        task = asyncio.create_task(backend.users.set_password(user.id, "new"))
        await wait(sent)
    begun = asyncio.get_running_loop().time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.get_running_loop().time() - begun < SLACK_SECONDS
    server.resume()
    assert await answered(lambda: backend.users.get_by_id(user.id)) is not None


async def test_tasks_that_wait_for_a_connection_can_be_cancelled_without_losing_it(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url, db_pool_size=2)
    user = await backend.users.create(make.user())
    server.pause()
    async with sending() as sent:
        tasks = [asyncio.create_task(backend.users.get_by_id(user.id)) for _ in range(20)]
        await wait(sent)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.resume()
    async with asyncio.timeout(DEADLINE_SECONDS):
        found = await asyncio.gather(*(backend.users.get_by_id(user.id) for _ in range(50)))
    assert found == [user] * 50


class Line:
    """Stands for a connection of the driver that closes itself at nothing."""

    is_connected = True

    async def connect(self) -> None: ...

    async def can_read(self) -> bool:
        return False

    async def disconnect(self, *, nowait: bool = False) -> None:
        self.is_connected = False


@pytest.mark.parametrize(
    ("raised", "kept"),
    [(None, True), (ResponseError("no"), True), (OSError(), False), (asyncio.CancelledError(), False)],
)
async def test_only_a_connection_whose_answer_was_read_is_lent_again(
    raised: BaseException | None, kept: bool
) -> None:
    connections = Connections(Line, 1, DEADLINE_SECONDS)
    with contextlib.suppress(ResponseError, OSError, asyncio.CancelledError):
        async with connections.lend() as first:
            if raised is not None:
                raise raised
    assert first.is_connected is kept
    async with connections.lend() as second:
        assert (first is second) is kept


async def test_a_script_that_the_server_forgot_is_sent_again(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    backend = opened(server.url)
    await backend.users.create(make.user())
    assert server.send("SCRIPT", "FLUSH") == "+OK"
    user = await backend.users.create(make.user())
    assert await backend.users.count() == 2
    assert await backend.users.get_by_email(user.email_key) == user


async def test_a_replica_answers_reads_and_refuses_writes_with_a_next_step(
    server: RedisServer, opened: Open, make: Builder
) -> None:
    primary = opened(server.url)
    user = await primary.users.create(make.user())
    with RedisServer(from_primary=server) as standby:
        backend = opened(standby.url)
        await until(lambda: backend.users.get_by_id(user.id))
        with pytest.raises(BackendUnavailable, match="replica") as raised:
            await backend.users.set_password(user.id, "new")
        assert not raised.value.outcome_unknown
        with pytest.raises(BackendUnavailable, match="replica"):
            await backend.blacklist.revoke("jti", make.clock.now())
        roles = {finding.name: finding for finding in await backend.diagnose()}
        assert roles["role"].status == "failed"
        standby.send("REPLICAOF", "NO", "ONE")
        assert await backend.users.set_password(user.id, "new") is not None


async def test_no_message_holds_the_password(make: Builder, opened: Open) -> None:
    secret = "s3cret-of-the-server"
    with RedisServer(settings=("--requirepass", "another")) as server:
        url = server.url.replace("://", f"://:{secret}@")
        for call in (opened(url).ping, lambda: opened(url).users.create(make.user())):
            with pytest.raises(BackendUnavailable, match="password") as raised:
                await call()
            error: BaseException | None = raised.value
            while error is not None:
                assert secret not in f"{error} {error!r}"
                error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    "url", ["redis://:s3cret/x@localhost/0", "redis://:pw@localhost:s3cret/0", "redis://h?db=s3cret"]
)
def test_a_url_that_cannot_be_read_is_not_quoted(url: str, clock: FrozenClock) -> None:
    with pytest.raises(ConfigurationError) as raised:
        RedisBackend(config=RegStackConfig(database_url=url), clock=clock)
    assert "s3cret" not in f"{raised.value} {raised.value.__cause__}"
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ("LOADING Redis is loading the dataset in memory", "loading"),
        ("BUSY Redis is busy running a script.", "SCRIPT KILL"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"),
        ("READONLY You can't write against a read only replica.", "primary"),
        ("MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.", "disk"),
        ("NOREPLICAS Not enough good replicas to write.", "replicas"),
        ("CLUSTERDOWN The cluster is down", "cluster"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "cluster"),
        ("MOVED 3999 127.0.0.1:6381", "cluster"),
        ("NOPERM this user has no permissions to run the 'eval' command", "access list"),
        ("NOAUTH Authentication required.", "password"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "password"),
        (
            "ERR Error running script (call to f_c0ffee): @user_script:12: "
            "-OOM command not allowed when used memory > 'maxmemory'.",
            "maxmemory",
        ),
    ],
)
def test_every_refusal_of_the_server_says_what_to_do_and_that_nothing_was_written(
    answer: str, advice: str
) -> None:
    error = meaning_of(BaseParser.parse_error(answer), maybe_written=True)
    assert isinstance(error, BackendUnavailable)
    assert not error.outcome_unknown
    assert advice in str(error)


def test_a_refusal_that_is_not_known_is_an_error_of_storage_all_the_same() -> None:
    error = meaning_of(BaseParser.parse_error("ERR unknown command `NOPE`"), maybe_written=True)
    assert type(error) is BackendError
