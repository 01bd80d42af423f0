"""crudauth with its bearer transport, as its documentation sets it up; a changed password revokes tokens.

Passwords are hashed with its own defaults.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from crudauth import BearerTransport, CRUDAuth
from crudauth.models import AuthUserMixin
from crudauth.transports.bearer.tokens import create_access_token
from crudauth.utils import get_password_hash
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from benchmarks.applications import PASSWORD, Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ME, LOGIN, FORM = "/me", "/token", True


class Base(DeclarativeBase):
    pass


class User(Base, AuthUserMixin):  # type: ignore[misc]
    __tablename__ = "users"


async def populate(settings: dict[str, Any], count: int) -> list[Person]:
    """Make the accounts with one hash, and sign their tokens."""
    engine = _engine(settings)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    hashed = get_password_hash(PASSWORD)
    users = [
        User(email=f"{name}@example.com", username=name, hashed_password=hashed, email_verified=True)
        for name in (f"person{number}" for number in range(count))
    ]
    async with async_sessionmaker(engine, expire_on_commit=False)() as session:
        session.add_all(users)
        await session.commit()
    await engine.dispose()
    return [
        Person(
            user.username,
            create_access_token({"sub": str(user.id), "ver": 0}, settings["secret"], scopes=[]),
        )
        for user in users
    ]


def build(settings: dict[str, Any]) -> FastAPI:
    """Mount all its routes."""
    engine = _engine(settings)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def session() -> AsyncIterator[Any]:
        async with sessions() as opened:
            yield opened

    auth = CRUDAuth(
        session=session,
        user_model=User,
        SECRET_KEY=settings["secret"],
        transports=[BearerTransport()],
        warn_on_memory_backend=False,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await auth.initialize()
        yield
        await auth.shutdown()
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    app.include_router(auth.router)
    return app


def _engine(settings: dict[str, Any]) -> Any:
    return create_async_engine(settings["database_url"].replace("postgresql:", "postgresql+asyncpg:"))
