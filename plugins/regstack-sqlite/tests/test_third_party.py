"""A SQL backend of a third party: the kit, an engine and some lines."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, event, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from regstack.auth.clock import FrozenClock
from regstack.backends.base import Capability
from regstack.backends.sql.backend import SqlBackend
from regstack.backends.sql.engine import EngineExecutor
from regstack.backends.sql.executor import Transaction
from regstack.backends.sql.idiom import SqliteIdiom
from regstack.config.schema import RegStackConfig
from regstack.errors import (
    BackendError,
    LastSuperuserError,
    OAuthIdentityAlreadyLinkedError,
    UserAlreadyExistsError,
    UserNotFoundError,
)
from regstack.models.ids import new_id
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.user import User
from regstack_sqlite.errors import meaning_of

pytestmark = pytest.mark.anyio


class AcmeExecutor(EngineExecutor):
    """Runs statements on the engine's pool."""

    idiom = SqliteIdiom()

    def classify(self, error: BaseException) -> BackendError | None:
        return meaning_of(error.__cause__ or error) if isinstance(error, sqlite3.Error) else None  # type: ignore[arg-type]

    @asynccontextmanager
    async def raw_transaction(self) -> AsyncIterator[Transaction]:
        async with super().raw_transaction() as transaction:
            await transaction._connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]
            yield transaction

    @asynccontextmanager
    async def raw_migration(self) -> AsyncIterator[AsyncConnection]:
        async with super().raw_migration() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


class AcmeBackend(SqlBackend):
    """Accounts in Acme's database."""

    kind = "acme"
    capabilities = frozenset({Capability.TRANSACTIONS, Capability.MFA_CODES, Capability.OAUTH})

    def make_executor(self, engine: AsyncEngine | None) -> EngineExecutor:
        made = engine or create_async_engine(self.config.database_url.get_secret_value())
        return AcmeExecutor(made, timeout=self.config.db_timeout_seconds, owned=engine is None)

    def version_query(self) -> Select[Any]:
        return select(func.sqlite_version())


@pytest.fixture
async def acme(path: Path, clock: FrozenClock) -> AsyncIterator[AcmeBackend]:
    backend = AcmeBackend(config=RegStackConfig(database_url=f"sqlite+aiosqlite:///{path}"), clock=clock)

    @event.listens_for(backend.executor.engine.sync_engine, "connect")  # type: ignore[attr-defined]
    def set_up(connection: Any, record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    await backend.install_schema()
    yield backend
    await backend.aclose()


async def test_the_kit_works_over_any_engine(acme: AcmeBackend, make_user: Callable[..., User]) -> None:
    assert (await acme.install_schema()).changes == ()
    user = await acme.users.create(make_user())
    assert await acme.users.create(user) == user
    with pytest.raises(UserAlreadyExistsError) as caught:
        await acme.users.create(make_user(email=user.email))
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    subject = await acme.users.get_token_subject(user.id, jti="jti")
    assert subject is not None
    assert subject.user == user
    assert (await acme.ping()).server_version == sqlite3.sqlite_version


async def test_its_guards_hold_too(acme: AcmeBackend, make_user: Callable[..., User]) -> None:
    users = [await acme.users.create(make_user(is_superuser=True)) for _ in range(4)]
    answers = await asyncio.gather(*(acme.users.delete(user.id) for user in users), return_exceptions=True)
    assert sorted(type(answer) for answer in answers if answer is not True) == [LastSuperuserError]
    assert await acme.users.count() == 1


async def test_its_conflicts_have_their_names(acme: AcmeBackend, make_user: Callable[..., User]) -> None:
    user, now = await acme.users.create(make_user()), acme.clock.now()

    def identity(user_id: str) -> OAuthIdentity:
        return OAuthIdentity(new_id(acme.clock), user_id, "google", "issuer", "subject", None, now)

    await acme.oauth_identities.create(identity(user.id))
    with pytest.raises(OAuthIdentityAlreadyLinkedError):
        await acme.oauth_identities.create(identity(user.id))
    assert await acme.users.delete(user.id)
    with pytest.raises(UserNotFoundError):
        await acme.oauth_identities.create(identity(user.id))
