"""What goes to PostgreSQL, and how it finds the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from regstack.models.mfa_code import MfaCode, MfaKind
from regstack.models.user import User
from regstack.testing.proxy import Address, FaultProxy
from regstack_postgres.backend import PostgresBackend

pytestmark = pytest.mark.anyio

OpenBackend = Callable[..., PostgresBackend]
MakeUser = Callable[..., User]

HOUR = timedelta(hours=1)


def hot_operations(backend: PostgresBackend, user: User) -> dict[str, Callable[[], Any]]:
    now = backend.clock.now()
    return {
        "get_token_subject": lambda: backend.users.get_token_subject(user.id, jti="jti"),
        "get_by_id": lambda: backend.users.get_by_id(user.id),
        "get_by_email": lambda: backend.users.get_by_email(user.email_key),
        "find_login_subject": lambda: backend.users.find_login_subject(user.email_key),
        "record_login": lambda: backend.users.record_login(user.id, now),
        "set_password": lambda: backend.users.set_password(user.id, "new"),
        "put_reset_token": lambda: backend.users.put_reset_token(user.id, "cd", now + HOUR),
        "reset_password": lambda: backend.users.reset_password("cd", "newer", now),
        "set_flags": lambda: backend.users.set_flags(user.id, is_verified=True),
        "is_revoked": lambda: backend.blacklist.is_revoked("jti"),
        "revoke": lambda: backend.blacklist.revoke("jti", now + HOUR),
        "claim": lambda: backend.attempts.claim("key", limit=3, window=HOUR, now=now),
        "clear": lambda: backend.attempts.clear("key"),
        "put": lambda: backend.mfa_codes.put(MfaCode(user.id, MfaKind.LOGIN, "ab", None, 3, now, now + HOUR)),
        "verify": lambda: backend.mfa_codes.verify(user.id, MfaKind.LOGIN, "ab", now),
        "find_by_subject": lambda: backend.oauth_identities.find_by_subject("issuer", "subject"),
        "consume": lambda: backend.pending.consume("ef", now),
    }


async def test_hot_operations_are_one_exchange_on_the_wire(
    url: str, build: OpenBackend, make_user: MakeUser
) -> None:
    server = urlsplit(url)
    address = Address(str(server.hostname), int(server.port or 5432))
    async with FaultProxy(address, is_upkeep=lambda _: False) as proxy:
        netloc = f"{server.username}@127.0.0.1:{proxy.address.port}"
        through = server._replace(netloc=netloc, query="sslmode=disable").geturl()
        backend = build(database_url=through, db_pool_size=1)
        user = await backend.users.create(make_user())
        operations = hot_operations(backend, user)
        for operation in operations.values():
            await operation()
        for name, operation in operations.items():
            assert await messages(proxy, operation) == [b"BES"], name  # Bind, Execute, Sync; in one piece

        def disable() -> Any:
            return backend.users.set_flags(user.id, is_active=False)

        await disable()
        assert await messages(proxy, disable) == [b"Q", b"BES", b"BES", b"Q"]
        await backend.aclose()


async def test_tokens_that_are_looked_up_at_once_share_an_exchange(
    url: str, build: OpenBackend, make_user: MakeUser
) -> None:
    server = urlsplit(url)
    address = Address(str(server.hostname), int(server.port or 5432))
    async with FaultProxy(address, is_upkeep=lambda _: False) as proxy:
        netloc = f"{server.username}@127.0.0.1:{proxy.address.port}"
        backend = build(database_url=server._replace(netloc=netloc, query="sslmode=disable").geturl())
        users = [await backend.users.create(make_user()) for _ in range(40)]

        async def look_up() -> None:
            subjects = await asyncio.gather(
                *(backend.users.get_token_subject(user.id, jti="jti") for user in users)
            )
            assert [subject and subject.user for subject in subjects] == users

        await look_up()
        assert await messages(proxy, look_up) == [b"BES"]
        await backend.aclose()


async def messages(proxy: FaultProxy, operation: Callable[[], Any]) -> list[bytes]:
    """For each exchange of an operation, the types of its messages, one letter each."""
    proxy.exchanges.clear()
    await operation()
    return [types(exchange.request) for exchange in proxy.exchanges]


def types(request: bytes) -> bytes:
    found, at = b"", 0
    while at < len(request):
        found += request[at : at + 1]
        at += 1 + int.from_bytes(request[at + 1 : at + 5], "big")
    return found


async def test_a_place_that_is_no_id_pages_like_text(backend: PostgresBackend, make_user: MakeUser) -> None:
    users = [await backend.users.create(make_user()) for _ in range(3)]
    upper = users[1].id.upper()
    for after in ("", " ", "0", "zzz", "%", upper, users[1].id[:-1], users[1].id + "0", "00000000"):
        expected = [user for user in users if user.id > after]
        assert await backend.users.list_page(limit=9, after=after) == expected, after
        assert await backend.users.list_page(limit=9, after=after, search="user") == expected, after


async def test_a_sweep_takes_no_more_than_a_batch_at_once(backend: PostgresBackend) -> None:
    now = backend.clock.now()
    for number in range(7):
        await backend.blacklist.revoke(f"jti{number}", now)
    purge = backend.blacklist._purge  # type: ignore[attr-defined]
    deleted = [await backend.executor.execute(purge, until=now, batch=3) for _ in range(4)]
    assert deleted == [3, 3, 1, 0]
