"""Servers that are gone, stand still, or refuse: what is raised, when, and what it says."""

from __future__ import annotations

import asyncio
import socket
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from regstack.auth.clock import FrozenClock
from regstack.backends.sql.executor import MissingTable
from regstack.config.schema import RegStackConfig
from regstack.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    InvalidText,
    NaiveDatetime,
    RegStackError,
)
from regstack.models.user import User
from regstack.testing.fixtures import answered
from regstack_postgres.backend import PostgresBackend
from tests.servers.postgres import PostgresServer
from tests.servers.process import free_port

pytestmark = pytest.mark.anyio

OpenBackend = Callable[..., PostgresBackend]
MakeUser = Callable[..., User]
Ask = Callable[..., Awaitable[Any]]

HOUR = timedelta(hours=1)
SLACK_SECONDS = 10.0
"""What a busy machine may add to a deadline; without one nothing here would end within a minute."""


async def test_connections_that_died_while_idle_fail_nothing_once_the_server_is_back(
    server: PostgresServer, on_server: PostgresBackend, make_user: MakeUser
) -> None:
    users = [await on_server.users.create(make_user()) for _ in range(3)]
    for end in (server.kill, server.stop):
        await asyncio.gather(*(on_server.users.get_by_id(user.id) for user in users))
        end()
        server.start()
        # Writes that may not be repeated once they were sent; nothing ran on the loop meanwhile.
        answers = await asyncio.gather(*(on_server.users.invalidate_tokens(user.id) for user in users))
        assert None not in answers
    assert [user.token_version for user in await on_server.users.list_page(limit=9)] == [2, 2, 2]


async def test_a_connection_that_broke_under_a_read_is_replaced(
    backend: PostgresBackend, make_user: MakeUser, administer: Ask
) -> None:
    user = await backend.users.create(make_user())
    source = backend.executor._source
    acquire, broken = source.acquire, []

    async def acquire_and_break() -> Any:
        connection = await acquire()
        if len(broken) < 2:
            broken.append(connection)
            await administer("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
        return connection

    source.acquire = acquire_and_break  # type: ignore[method-assign]
    assert await backend.users.get_by_id(user.id) == user
    assert len(broken) == 2


async def test_a_write_whose_answer_never_came_is_not_repeated(
    backend: PostgresBackend, make_user: MakeUser, administer: Ask
) -> None:
    user = await backend.users.create(make_user())
    source = backend.executor._source
    acquire, taken = source.acquire, []

    async def acquire_and_break() -> Any:
        connection = await acquire()
        taken.append(connection)
        await administer("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
        return connection

    source.acquire = acquire_and_break  # type: ignore[method-assign]
    with pytest.raises(BackendUnavailable) as caught:
        await backend.users.set_password(user.id, "new")
    assert caught.value.outcome_unknown
    assert isinstance(caught.value.__cause__, Exception)
    assert len(taken) == 1
    source.acquire = acquire  # type: ignore[method-assign]
    assert await backend.users.get_by_id(user.id) == user


async def test_a_transaction_that_broke_before_its_commit_runs_again(
    backend: PostgresBackend, make_user: MakeUser, administer: Ask
) -> None:
    user = await backend.users.create(make_user())
    bodies: list[int] = []

    async def body(transaction: Any) -> bool:
        bodies.append(transaction._connection.get_server_pid())
        assert await transaction.execute(backend.users._delete, user=user.id, version=None) == 1  # type: ignore[attr-defined]
        if len(bodies) == 1:
            await administer("SELECT pg_terminate_backend($1, 5000)", bodies[0])
            while not transaction._connection.is_closed():  # noqa: ASYNC110 - the driver has no Event for it
                await asyncio.sleep(0)
        return True

    assert await backend.executor.transact(body)
    assert len(bodies) == 2
    assert await backend.users.get_by_id(user.id) is None


async def test_a_server_that_is_gone_is_told_within_the_deadline_and_found_again(
    server: PostgresServer, hurried: PostgresBackend, make_user: MakeUser
) -> None:
    server.kill()
    for operation in (hurried.ping, lambda: hurried.users.create(make_user()), hurried.install_schema):
        start = time.monotonic()
        with pytest.raises(BackendUnavailable) as caught:
            await operation()
        assert not caught.value.outcome_unknown
        assert time.monotonic() - start < 1.0 + SLACK_SECONDS
    server.start()
    await answered(hurried.ping)
    assert await answered(lambda: hurried.users.create(make_user()))


@pytest.mark.parametrize("lender", ["pool", "engine"])
async def test_a_server_that_stands_still_holds_nobody_longer_than_the_deadline(
    server: PostgresServer,
    on_server: PostgresBackend,
    hurried: PostgresBackend,
    make_user: MakeUser,
    lender: str,
    clock: FrozenClock,
) -> None:
    config = RegStackConfig(db_timeout_seconds=1.0)
    engine = create_async_engine(server.url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=3)
    store = hurried if lender == "pool" else PostgresBackend.from_engine(engine, config=config, clock=clock)
    user = await on_server.users.create(make_user())
    await answered(lambda: asyncio.gather(*(store.users.get_by_id(user.id) for _ in range(9))))
    server.pause()
    for operations in (
        [store.ping],
        [lambda: store.users.get_by_id(user.id)],
        [lambda: store.users.set_password(user.id, "new")],
        [lambda: store.users.delete(user.id)],
        [lambda: store.users.invalidate_tokens(user.id)] * 9,
    ):
        start = time.monotonic()
        answers = await asyncio.gather(*(each() for each in operations), return_exceptions=True)
        assert time.monotonic() - start < 1.0 + 0.5 + SLACK_SECONDS
        assert {type(answer) for answer in answers} <= {BackendTimeout, BackendUnavailable}
        for answer in answers:
            # A connection that could not be opened has sent nothing.
            assert isinstance(answer, BackendTimeout) or not answer.outcome_unknown  # type: ignore[union-attr]
    start = time.monotonic()
    await store.aclose()
    assert time.monotonic() - start < SLACK_SECONDS
    server.resume()
    found = await answered(lambda: store.users.get_by_id(user.id))
    assert found is None or found.email_key == user.email_key
    await answered(lambda: store.users.create(make_user()))
    await engine.dispose()


async def test_a_lock_that_stays_is_a_timeout_and_leaves_nothing_locked(
    open_backend: OpenBackend, url: str, make_user: MakeUser
) -> None:
    patient, hurried = open_backend(), open_backend(db_timeout_seconds=0.5)
    user = await patient.users.create(make_user())
    await answered(hurried.ping)
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("SELECT * FROM regstack_users FOR UPDATE")
        for operation in (
            lambda: hurried.users.set_password(user.id, "new"),
            lambda: hurried.users.delete(user.id),
        ):
            start = time.monotonic()
            with pytest.raises(BackendTimeout, match="db_timeout_seconds"):
                await operation()
            assert time.monotonic() - start < 0.5 + SLACK_SECONDS
    await other.close()
    assert await answered(lambda: hurried.users.get_by_id(user.id)) == user
    assert await patient.users.delete(user.id)


async def test_the_servers_own_limit_is_a_timeout_too(open_backend: OpenBackend, url: str) -> None:
    backend = open_backend(database_url=f"{url}?statement_timeout=50")
    with pytest.raises(BackendTimeout) as caught:
        await backend.executor.ask("SELECT pg_sleep(20)")
    assert isinstance(caught.value.__cause__, asyncpg.QueryCanceledError)


async def test_a_server_that_became_read_only_is_left_for_another_connection(
    open_backend: OpenBackend, make_user: MakeUser
) -> None:
    backend = open_backend(db_pool_size=1)
    user = await backend.users.create(make_user())
    connection = await backend.executor._source.acquire()
    pid = connection.get_server_pid()
    await connection.execute("SET default_transaction_read_only = on")
    await backend.executor._source.give_back(connection)
    assert await backend.users.get_by_id(user.id) == user
    # Nothing was done, so the write is repeated, on a new connection.
    assert await backend.users.set_password(user.id, "new") is not None
    (other,) = await backend.executor.ask("SELECT pg_backend_pid()")
    assert other != pid


async def test_a_server_that_stays_read_only_is_unavailable(
    open_backend: OpenBackend, administer: Ask, url: str, make_user: MakeUser
) -> None:
    database = url.rpartition("/")[2]
    await administer(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with pytest.raises(BackendUnavailable, match="takes no writes") as caught:
        await open_backend().users.create(make_user())
    assert not caught.value.outcome_unknown


async def test_missing_tables_say_how_to_install_them(build: OpenBackend, empty_url: str) -> None:
    for settings in ({}, {"db_schema": "nowhere"}):
        with pytest.raises(MissingTable, match="install_schema"):
            await build(database_url=empty_url, **settings).users.get_by_id("x")


async def test_values_that_no_database_takes_are_refused_before_it(
    backend: PostgresBackend, make_user: MakeUser
) -> None:
    for bad in ("nul\0", "\ud800"):
        with pytest.raises(InvalidText):
            await backend.users.get_by_email(bad)
        with pytest.raises(InvalidText):
            await backend.users.list_page(limit=1, after=bad)
    user = await backend.users.create(make_user())
    with pytest.raises(NaiveDatetime):
        await backend.users.record_login(user.id, user.created_at.replace(tzinfo=None))


async def test_a_user_without_rights_is_told_which_to_grant(
    build: OpenBackend, url: str, administer: Ask
) -> None:
    await administer("CREATE ROLE stranger LOGIN")
    try:
        stranger = build(database_url=url.replace("postgres@", "stranger@"))
        with pytest.raises(BackendUnavailable, match="grant"):
            await stranger.users.count()
    finally:
        await stranger.aclose()
        await administer("DROP ROLE stranger")


@pytest.fixture(scope="module")
def guarded() -> Any:
    """A server that asks for a password."""
    with PostgresServer() as server:
        server.sql("CREATE ROLE shop LOGIN PASSWORD 's3cret'")
        hba = server.folder / "data" / "pg_hba.conf"
        hba.write_text(
            "host all postgres 127.0.0.1/32 trust\n"
            "host all stranger 127.0.0.1/32 reject\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )
        server.sql("SELECT pg_reload_conf()")
        yield server


@pytest.mark.parametrize(
    ("user", "database", "advice"),
    [
        ("shop:s3cret-wrong", "postgres", "refused the password"),
        ("nobody:s3cret-wrong", "postgres", "refused the password"),
        ("stranger:s3cret-wrong", "postgres", "pg_hba"),
        ("shop:s3cret", "nowhere", "does not exist"),
    ],
)
async def test_who_is_not_let_in_is_told_why_and_no_secret(
    build: OpenBackend, guarded: PostgresServer, user: str, database: str, advice: str
) -> None:
    backend = build(database_url=f"postgresql://{user}@127.0.0.1:{guarded.port}/{database}")
    with pytest.raises(BackendUnavailable, match=advice) as caught:
        await backend.ping()
    assert not caught.value.outcome_unknown
    assert isinstance(caught.value.__cause__, asyncpg.PostgresError)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


async def test_a_password_that_fits_lets_in(build: OpenBackend, guarded: PostgresServer) -> None:
    url = f"postgresql://shop:s3cret@127.0.0.1:{guarded.port}/postgres"
    assert (await build(database_url=url).ping()).server_version


async def test_a_server_without_room_says_what_to_lower(build: OpenBackend) -> None:
    with PostgresServer(settings=["max_connections=5", "superuser_reserved_connections=1"]) as server:
        server.sql("CREATE ROLE shop LOGIN")
        url = server.url.replace("postgres@", "shop@")
        held: list[Any] = []
        while len(held) < 4:  # all the room there is, once the session that made the role has ended
            with suppress(asyncpg.TooManyConnectionsError):
                held.append(await asyncpg.connect(url))
        with pytest.raises(BackendUnavailable, match="db_pool_size"):
            await build(database_url=url, db_timeout_seconds=4).ping()
        for connection in held:
            await connection.close()


async def test_a_port_where_nobody_listens_or_nobody_answers_is_unavailable(build: OpenBackend) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent:
        for port, patience, advice in (
            (free_port(), 5, "is it running"),
            (silent.getsockname()[1], 0.2, "db_connect_timeout_seconds"),
        ):
            backend = build(
                database_url=f"postgresql://u:s3cret@127.0.0.1:{port}/x",
                db_connect_timeout_seconds=patience,
                db_timeout_seconds=4,
            )
            with pytest.raises(BackendUnavailable, match=advice) as caught:
                await backend.ping()
            assert "s3cret" not in "".join(traceback.format_exception(caught.value))


async def test_what_is_not_foreseen_names_its_state_and_no_values(backend: PostgresBackend) -> None:
    with pytest.raises(BackendError, match="SQLSTATE 22012") as caught:
        await backend.executor.ask("SELECT 1 / 0")
    assert isinstance(caught.value.__cause__, asyncpg.DivisionByZeroError)


async def test_no_error_quotes_what_is_stored_or_sent(open_backend: OpenBackend, make_user: MakeUser) -> None:
    backend = open_backend()
    await backend.install_schema()
    user = await backend.users.create(make_user(email="person@example.org"))
    errors: list[BaseException] = []
    for attempt in (
        lambda: backend.users.create(make_user(email="person@example.org")),
        lambda: backend.users.create(replace(make_user(hashed_password="$secret"), token_version=1 << 40)),
        lambda: backend.executor.ask(f"SELECT 1/0 FROM regstack_users WHERE email_key = '{user.email_key}'"),
    ):
        with pytest.raises(RegStackError) as caught:
            await attempt()
        error: BaseException | None = caught.value
        while error is not None:
            errors.append(error)
            error = error.__cause__ or error.__context__
    text = "".join(f"{error!s} {error!r} {vars(error)}" for error in errors)
    assert "person@example.org" not in text
    assert "secret" not in text
    assert str(1 << 40) not in text


async def test_giving_a_connection_back_does_not_change_what_was_answered(
    open_backend: OpenBackend, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_backend()
    user = await backend.users.create(make_user())

    async def fail(connection: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(backend.executor._source, "_release", fail)
    ended = await backend.users.invalidate_tokens(user.id)
    assert ended is not None
    assert ended.token_version == 1
    assert await backend.users.delete(user.id)
