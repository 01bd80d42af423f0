"""What goes to SQLite, and how it finds the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from regstack.models.ids import new_id
from regstack.models.mfa_code import MfaCode, MfaKind
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.user import User
from regstack_sqlite.backend import SqliteBackend

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


@pytest.fixture
async def warm(
    traced: list[str], open_backend: Callable[..., SqliteBackend], make_user: Callable[..., User]
) -> SqliteBackend:
    """A traced backend whose connections are open."""
    backend = open_backend()
    await backend.install_schema()
    await backend.users.get_by_id(make_user().id)
    return backend


async def test_hot_operations_are_one_statement(
    warm: SqliteBackend, traced: list[str], make_user: Callable[..., User]
) -> None:
    user = await warm.users.create(make_user())
    now = warm.clock.now()
    await warm.mfa_codes.put(MfaCode(user.id, MfaKind.LOGIN, "ab", None, 3, now, now + HOUR))
    for operation in (
        lambda: warm.users.get_token_subject(user.id, jti="jti"),
        lambda: warm.users.get_by_id(user.id),
        lambda: warm.users.get_by_email(user.email_key),
        lambda: warm.users.find_login_subject(user.email_key),
        lambda: warm.users.find_login_subject("nobody@example.com"),
        lambda: warm.users.record_login(user.id, now),
        lambda: warm.users.set_password(user.id, "new"),
        lambda: warm.users.set_flags(user.id, is_verified=True),
        lambda: warm.users.put_reset_token(user.id, "cd", now + HOUR),
        lambda: warm.users.reset_password("cd", "newer", now),
        lambda: warm.blacklist.is_revoked("jti"),
        lambda: warm.blacklist.revoke("jti", now + HOUR),
        lambda: warm.attempts.claim("key", limit=3, window=HOUR, now=now),
        lambda: warm.attempts.clear("key"),
        lambda: warm.mfa_codes.verify(user.id, MfaKind.LOGIN, "ab", now),
        lambda: warm.oauth_identities.find_by_subject("issuer", "subject"),
        lambda: warm.pending.consume("ef", now),
    ):
        traced.clear()
        await operation()
        assert len(traced) == 1, traced


async def test_tokens_that_are_looked_up_at_once_share_a_statement(
    warm: SqliteBackend, traced: list[str], make_user: Callable[..., User]
) -> None:
    users = [await warm.users.create(make_user()) for _ in range(40)]
    traced.clear()
    subjects = await asyncio.gather(*(warm.users.get_token_subject(user.id, jti="jti") for user in users))
    assert [subject and subject.user for subject in subjects] == users
    assert len(traced) == 1


async def test_a_guarded_change_is_one_short_transaction(
    warm: SqliteBackend, traced: list[str], make_user: Callable[..., User]
) -> None:
    user = await warm.users.create(make_user())
    traced.clear()
    await warm.users.set_flags(user.id, is_active=False)
    assert [statement.split()[0] for statement in traced] == ["BEGIN", "UPDATE", "COMMIT"]
    traced.clear()
    await warm.users.delete(user.id)
    distinct = dict.fromkeys(traced)  # SQLite shows the statement once more for each table it cascades to
    verbs = [statement.split()[0] for statement in distinct]
    assert verbs == ["BEGIN", "DELETE", "DELETE", "COMMIT"]


async def test_a_search_is_a_range_and_no_pattern(
    backend: SqliteBackend, make_user: Callable[..., User]
) -> None:
    odd = [
        await backend.users.create(make_user(email=f"{text}@example.com")) for text in ("%", "_", "a%", "ab")
    ]
    assert await backend.users.list_page(limit=9, search="%") == [odd[0]]
    assert await backend.users.list_page(limit=9, search="_") == [odd[1]]
    assert await backend.users.list_page(limit=9, search="a") == odd[2:]
    assert await backend.users.count(search="a") == 2


async def test_purging_goes_in_batches(warm: SqliteBackend, traced: list[str]) -> None:
    now = warm.clock.now()
    for number in range(7):
        await warm.blacklist.revoke(f"jti{number}", now)
    traced.clear()
    assert await warm.blacklist.purge_expired(now + 2 * HOUR, batch=3) == 7
    assert len(traced) == 4
    assert all("LIMIT 3" in statement for statement in traced)


async def test_rows_of_a_user_go_with_the_user(
    backend: SqliteBackend, make_user: Callable[..., User]
) -> None:
    user = await backend.users.create(make_user())
    now = backend.clock.now()
    await backend.mfa_codes.put(MfaCode(user.id, MfaKind.LOGIN, "ab", None, 3, now, now + HOUR))
    identity = OAuthIdentity(new_id(backend.clock), user.id, "google", "iss", "sub", None, now)
    await backend.oauth_identities.create(identity)
    assert await backend.users.delete(user.id)
    assert await backend.mfa_codes.find(user.id, MfaKind.LOGIN) is None
    assert await backend.oauth_identities.find_by_subject("iss", "sub") is None
