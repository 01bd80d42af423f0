"""A SQL backend of a third party on PostgreSQL: the kit, an engine and some lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from regstack.auth.clock import FrozenClock
from regstack.backends.base import Capability
from regstack.backends.sql.backend import SqlBackend
from regstack.backends.sql.engine import EngineExecutor
from regstack.backends.sql.idiom import PostgresIdiom
from regstack.config.schema import RegStackConfig
from regstack.errors import BackendError, LastSuperuserError, UserAlreadyExistsError
from regstack.models.user import User
from regstack_postgres.errors import meaning_of

pytestmark = pytest.mark.anyio


class AcmeExecutor(EngineExecutor):
    """Runs statements on the engine's pool."""

    idiom = PostgresIdiom()

    lock_sql = "SELECT pg_advisory_xact_lock(hashtext($1::text))"

    def classify(self, error: BaseException) -> BackendError | None:
        return meaning_of(error.__cause__ or error, outcome_unknown=True)


class AcmeBackend(SqlBackend):
    """Accounts in Acme's database."""

    kind = "acme"
    capabilities = frozenset({Capability.TRANSACTIONS, Capability.MFA_CODES, Capability.OAUTH})

    def make_executor(self, engine: AsyncEngine | None) -> EngineExecutor:
        assert engine is not None
        return AcmeExecutor(engine, timeout=self.config.db_timeout_seconds, owned=True)

    def version_query(self) -> Select[Any]:
        return select(func.version())


@pytest.fixture
async def acme(empty_url: str, clock: FrozenClock) -> AsyncIterator[AcmeBackend]:
    engine = create_async_engine(empty_url.replace("postgresql:", "postgresql+asyncpg:"))
    backend = AcmeBackend(config=RegStackConfig(), clock=clock, engine=engine)
    await backend.install_schema()
    yield backend
    await backend.aclose()


async def test_the_kit_works_over_an_engine(acme: AcmeBackend, make_user: Callable[..., User]) -> None:
    assert (await acme.install_schema()).changes == ()
    user = await acme.users.create(make_user())
    with pytest.raises(UserAlreadyExistsError):
        await acme.users.create(make_user(email=user.email))
    assert await acme.users.get_by_id(user.id) == user
    assert [finding.status for finding in await acme.diagnose()] == ["ok"]
    assert "PostgreSQL" in (await acme.ping()).server_version


async def test_its_guards_hold_too(acme: AcmeBackend, make_user: Callable[..., User]) -> None:
    users = [await acme.users.create(make_user(is_superuser=True)) for _ in range(4)]
    answers = await asyncio.gather(*(acme.users.delete(user.id) for user in users), return_exceptions=True)
    assert sorted(type(answer) for answer in answers if answer is not True) == [LastSuperuserError]
    assert await acme.users.count() == 1
