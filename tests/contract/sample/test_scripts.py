"""A script happens as a whole or not at all, and leaves nothing behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest
from redis import Redis

from regstack.errors import BackendUnavailable
from regstack.testing.builders import Builder
from regstack.testing.contest import Call, call
from regstack_redis_sample.backend import RedisBackend
from tests.servers.redis import RedisServer

HOUR = timedelta(hours=1)
Open = Callable[..., RedisBackend]

CHANGES = 19

READS = {
    "EXISTS",
    "GET",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HMGET",
    "HVALS",
    "SCARD",
    "SMEMBERS",
    "ZCARD",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZSCORE",
}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def database(server: RedisServer) -> Iterator[Redis]:
    with Redis(port=server.port) as database:
        database.flushall()
        yield database


def contents(database: Redis) -> dict[bytes, Any]:
    return {key: database.dump(key) for key in database.scan_iter()}


def test_operations_read_and_leave_writing_to_the_end() -> None:
    sources = {
        path.name: path.read_text("utf-8")
        for path in (files("regstack_redis_sample") / "lua").iterdir()
        if path.name.endswith(".lua")
    }
    assert len(sources) == 8
    calls = re.findall(r"redis\.p?call\(([^,)]+)", "\n".join(sources.values()))
    assert {each.strip("'") for each in calls} - READS == {"unpack(command"}


async def busy(backend: RedisBackend, make: Builder) -> list[Call]:
    """Fill a database with a row of each kind, and give a change of each."""
    now, until = make.clock.now(), make.clock.now() + HOUR
    user, together = await backend.users.create(make.user(is_verified=False)), make.user()
    pending, code, identity, state = make.pending(), make.code(user.id), make.identity(user.id), make.state()
    other = make.pending(user_id=user.id, email=user.email, email_key=user.email_key, for_account=True)
    reset, change, result = make.hash(), make.hash(), make.hash()
    await backend.pending.put(pending)
    await backend.pending.put(other)
    await backend.users.put_reset_token(user.id, reset, until)
    await backend.users.put_email_change(user.id, change, make.email(), until)
    await backend.attempts.record_failure("key", window=HOUR, now=now)
    await backend.mfa_codes.put(code)
    await backend.oauth_identities.create(identity)
    await backend.oauth_states.create(state)
    outcome = {"user_id": user.id, "token_version": 0, "was_new_account": False, "expires_at": until}
    return [
        call("users.create", make.user()),
        call("users.create_from_pending", pending.token_hash, now),
        call("users.create_from_pending", other.token_hash, now),
        call("users.record_login", user.id, now),
        call("users.update_profile", user.id, full_name="a" * 1000),
        call("users.reset_password", reset, "new", now),
        call("users.confirm_email_change", change, now),
        call("pending.put", make.pending()),
        call("pending.rotate", pending.token_hash, token_hash=make.hash(), expires_at=until, now=now),
        call("blacklist.revoke", make.id(), until),
        call("attempts.claim", "key", limit=5, window=HOUR, now=now),
        call("attempts.claim", "another", limit=5, window=HOUR, now=now),
        call("mfa_codes.put", make.code(user.id, kind="phone_setup")),
        call("mfa_codes.verify", user.id, code.kind, make.hash(), now),
        call("oauth_identities.create", make.identity(user.id, provider="other")),
        call("oauth_identities.create_with_user", together, make.identity(together.id)),
        call("oauth_identities.touch_last_used", identity.id, until),
        call("oauth_states.create", make.state()),
        call("oauth_states.set_result", state.state_hash, result_hash=result, now=now, **outcome),
    ]


@pytest.mark.parametrize("number", range(CHANGES))
async def test_a_full_server_makes_a_change_wholly_or_not_at_all(
    number: int, server: RedisServer, database: Redis, opened: Open, make: Builder
) -> None:
    backend = opened(server.url)
    calls = await busy(backend, make)
    assert len(calls) == CHANGES
    before = contents(database)
    database.config_set("maxmemory", 1)
    try:
        outcome = await calls[number].make(backend)
    finally:
        database.config_set("maxmemory", 0)
    if outcome.error is None:
        # Redis lets a script go on whose first command frees memory.
        assert contents(database) != before
    else:
        assert outcome.error is BackendUnavailable
        assert contents(database) == before


async def test_an_account_leaves_nothing_behind(
    server: RedisServer, database: Redis, opened: Open, make: Builder
) -> None:
    backend = opened(server.url)
    await backend.install_schema()
    before = contents(database)
    for one in await busy(backend, make):
        assert (await one.make(backend)).error is None
    assert len(contents(database)) > 20
    for user in await backend.users.list_page(limit=100):
        assert await backend.users.delete(user.id)
        assert [key for key in contents(database) if user.id.encode() in key] == []
    await backend.purge_expired(make.clock.now() + 100 * HOUR, grace=timedelta())
    assert contents(database) == before
