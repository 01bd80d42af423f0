"""Servers that are gone, silent or unwilling: what is said, how soon, and what is not shown."""

from __future__ import annotations

import asyncio
import gc
import time
import traceback
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError, PyMongoError

from regstack.errors import (
    BackendError,
    BackendTimeout,
    BackendUnavailable,
    InvalidText,
    OAuthIdentityAlreadyLinkedError,
    UserAlreadyExistsError,
)
from regstack.testing.builders import Builder
from regstack.testing.fixtures import answered
from regstack_mongo.backend import MongoBackend
from tests.servers.mongo import MongoServer

from .conftest import DATABASE, every_text, failing, with_database

pytestmark = [
    pytest.mark.anyio,
    # The driver leaves a socket to the garbage collector where it gives up in the middle of connecting.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FAST: dict[str, Any] = {"db_timeout_seconds": 1.0, "db_connect_timeout_seconds": 0.5}
SLACK_SECONDS = 10.0
"""What a busy machine may add to a deadline; the driver's own are 20 s and more."""
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Let no leftover of a test's broken connections be found in another test."""
    yield
    gc.collect()


def both(open_backend: Any, url: str, **settings: Any) -> tuple[MongoBackend, MongoBackend]:
    """One for what must succeed on a busy machine too, and one that gives up soon."""
    return open_backend(url), open_backend(url, **FAST, **settings)


async def test_a_server_that_was_never_there_is_unavailable_in_time(open_backend: Any) -> None:
    backend = open_backend("mongodb://user:s3cret@127.0.0.1:1/x", **FAST)
    start = time.monotonic()
    for operation in (backend.ping, backend.users.count, backend.install_schema):
        with pytest.raises(BackendUnavailable) as raised:
            await operation()
        assert not raised.value.outcome_unknown
        assert isinstance(raised.value.__cause__, PyMongoError)
        assert "s3cret" not in every_text(raised.value)
    outcomes = await asyncio.gather(*(backend.users.count() for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {BackendUnavailable}
    assert time.monotonic() - start < 4 * FAST["db_connect_timeout_seconds"] + SLACK_SECONDS


async def test_a_server_that_comes_back_is_used_again_with_all_it_acknowledged(
    own_server: MongoServer, open_backend: Any, make: Builder
) -> None:
    patient, backend = both(open_backend, with_database(own_server.url, DATABASE))
    await patient.install_schema()
    users = [await patient.users.create(make.user()) for _ in range(20)]
    await answered(backend.users.count)
    own_server.kill()
    start = time.monotonic()
    with pytest.raises(BackendUnavailable):
        await backend.ping()
    with pytest.raises(BackendUnavailable):
        await backend.users.create(make.user())
    assert time.monotonic() - start < 2 * FAST["db_timeout_seconds"] + SLACK_SECONDS
    await asyncio.to_thread(own_server.start)
    await answered(backend.ping)
    await answered(lambda: backend.users.create(make.user()))
    assert [await answered(partial(backend.users.get_by_id, user.id)) for user in users] == users


async def test_a_server_that_stops_answering_is_given_up_in_time(
    own_server: MongoServer, open_backend: Any, make: Builder
) -> None:
    patient, backend = both(open_backend, with_database(own_server.url, DATABASE))
    await patient.install_schema()
    user = await patient.users.create(make.user())
    await answered(backend.users.count)
    fresh = open_backend(with_database(own_server.url, DATABASE), **FAST)
    own_server.pause()
    try:
        for operation, error, unknown in (
            (backend.users.get_by_id(user.id), BackendTimeout, False),
            (backend.users.set_password(user.id, "x"), BackendTimeout, True),
            (fresh.ping(), (BackendTimeout, BackendUnavailable), False),
        ):
            start = time.monotonic()
            with pytest.raises(error) as raised:
                await operation
            assert time.monotonic() - start < FAST["db_timeout_seconds"] + SLACK_SECONDS
            assert raised.value.outcome_unknown is unknown  # type: ignore[attr-defined]
    finally:
        own_server.resume()
    found = await answered(lambda: backend.users.get_by_id(user.id))
    assert found is not None
    assert found.hashed_password in {user.hashed_password, "x"}


async def test_a_cancelled_operation_gives_its_connection_back(
    own_server: MongoServer, open_backend: Any, make: Builder
) -> None:
    backend = open_backend(with_database(own_server.url, DATABASE), db_pool_size=2)
    await backend.install_schema()
    user = await backend.users.create(make.user())
    block = {"blockConnection": True, "blockTimeMS": 100}
    with failing(own_server.url, ["find", "findAndModify"], mode="alwaysOn", **block):
        tasks = [asyncio.create_task(backend.users.get_by_id(user.id)) for _ in range(4)]
        tasks += [asyncio.create_task(backend.users.set_password(user.id, "new")) for _ in range(2)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {asyncio.CancelledError}, results
    reads = await asyncio.gather(*(backend.users.get_by_id(user.id) for _ in range(16)))
    assert {each and each.hashed_password for each in reads} == {"new"}


async def test_a_write_that_breaks_off_has_an_unknown_outcome_and_a_read_is_repeated(
    open_backend: Any, standalone_url: str, make: Builder
) -> None:
    backend = open_backend(standalone_url)
    await backend.install_schema()
    user = await backend.users.create(make.user())
    with (
        failing(standalone_url, ["findAndModify"], closeConnection=True),
        pytest.raises(BackendUnavailable) as raised,
    ):
        await backend.users.set_password(user.id, "hash of s3cret")
    assert raised.value.outcome_unknown
    assert "s3cret" not in every_text(raised.value)
    with failing(standalone_url, ["find"], closeConnection=True):
        assert await backend.users.get_by_id(user.id) == user


async def test_a_replica_set_recognises_a_write_that_was_sent_twice(
    open_backend: Any, mongo_url: str, make: Builder
) -> None:
    backend = open_backend(with_database(mongo_url, DATABASE))
    await backend.install_schema()
    user = await backend.users.create(make.user())
    with failing(mongo_url, ["findAndModify"], closeConnection=True):
        changed = await backend.users.invalidate_tokens(user.id)
    assert changed is not None
    assert changed.token_version == user.token_version + 1


@pytest.mark.parametrize(
    ("data", "error", "unknown"),
    [
        ({"writeConcernError": {"code": 64, "errmsg": "s3cret waiting"}}, BackendUnavailable, True),
        ({"writeConcernError": {"code": 91, "errmsg": "s3cret shutdown"}}, BackendUnavailable, True),
        ({"errorCode": 11602}, BackendUnavailable, True),
        ({"errorCode": 189}, BackendUnavailable, True),
        ({"errorCode": 10107}, BackendUnavailable, False),
        ({"errorCode": 50}, BackendTimeout, True),
        ({"errorCode": 18}, BackendUnavailable, False),
        ({"errorCode": 13}, BackendError, None),
        ({"errorCode": 2}, BackendError, None),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
async def test_the_servers_errors_are_told_as_what_they_mean(
    data: dict[str, Any],
    error: type[BackendError],
    unknown: bool | None,
    open_backend: Any,
    standalone_url: str,
    make: Builder,
) -> None:
    backend = open_backend(standalone_url)
    await backend.install_schema()
    user = await backend.users.create(make.user())
    with failing(standalone_url, ["findAndModify"], **data), pytest.raises(BackendError) as raised:
        await backend.users.set_password(user.id, "hash of s3cret")
    assert type(raised.value) is error
    assert getattr(raised.value, "outcome_unknown", None) is unknown
    assert isinstance(raised.value.__cause__, PyMongoError)
    assert "s3cret" not in every_text(raised.value)
    if "writeConcernError" in data:  # it was made all the same
        # On another instance: this one waits for a sign of life, since the server said it shuts down.
        found = await open_backend(standalone_url).users.get_by_id(user.id)
        assert found is not None
        assert found.hashed_password == "hash of s3cret"


@pytest.mark.parametrize(("code", "error"), [(50, BackendTimeout), (11602, BackendUnavailable)])
async def test_a_read_that_fails_again_and_again_has_no_unknown_outcome(
    code: int, error: type[BackendError], open_backend: Any, standalone_url: str
) -> None:
    patient, backend = both(open_backend, standalone_url)
    await patient.install_schema()
    await answered(backend.users.count)
    with (
        failing(standalone_url, ["find"], mode="alwaysOn", errorCode=code),
        pytest.raises(error) as raised,
    ):
        await backend.users.get_by_id("x")
    assert not getattr(raised.value, "outcome_unknown", False)


async def test_a_conflict_shows_no_value_of_a_document(backend: MongoBackend, make: Builder) -> None:
    user = await backend.users.create(make.user(email_key="ada.s3cret@example.com"))
    other = await backend.users.create(make.user())
    token = make.hash()
    change = make.email()
    await backend.users.put_email_change(other.id, token, change, make.clock.now() + HOUR)
    await backend.users.create(make.user(email_key=change.key))
    await backend.oauth_identities.create(make.identity(user.id, subject="subject s3cret"))
    pending = make.pending(email_key=user.email_key)
    await backend.pending.put(pending)
    attempts = [
        (UserAlreadyExistsError, backend.users.create(make.user(email_key=user.email_key))),
        (UserAlreadyExistsError, backend.users.confirm_email_change(token, make.clock.now())),
        (UserAlreadyExistsError, backend.users.create_from_pending(pending.token_hash, make.clock.now())),
        (
            OAuthIdentityAlreadyLinkedError,
            backend.oauth_identities.create(make.identity(other.id, subject="subject s3cret")),
        ),
    ]
    for error, attempt in attempts:
        with pytest.raises(error) as raised:
            await attempt
        assert isinstance(raised.value.__cause__, DuplicateKeyError)
        shown = every_text(raised.value) + "".join(traceback.format_exception(raised.value))
        assert "s3cret" not in shown
        assert change.key not in shown


async def test_text_that_is_no_text_is_refused_before_the_server(
    backend: MongoBackend, make: Builder
) -> None:
    for operation in (
        backend.users.get_by_email("\ud800"),
        backend.users.create(make.user(full_name="\ud800")),
        backend.users.list_page(limit=1, search="\ud800"),
        backend.attempts.claim("\ud800", limit=1, window=HOUR, now=make.clock.now()),
    ):
        with pytest.raises(InvalidText):
            await operation
    assert await backend.users.count() == 0


async def test_a_full_pool_says_so(own_server: MongoServer, open_backend: Any) -> None:
    patient, backend = both(open_backend, with_database(own_server.url, DATABASE), db_pool_size=1)
    await patient.install_schema()
    await answered(backend.users.count)
    with failing(own_server.url, ["find"], mode="alwaysOn", blockConnection=True, blockTimeMS=5000):
        results = await asyncio.gather(
            *(backend.users.get_by_id("x") for _ in range(3)), return_exceptions=True
        )
    assert {type(result) for result in results} == {BackendTimeout}
