"""fastapi-users, as the full examples of its documentation set it up: bearer transport, JWT strategy.

Its tokens cannot be revoked. Passwords are hashed with its own defaults.
"""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.password import PasswordHelper

from benchmarks.applications import PASSWORD, Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ME, LOGIN, FORM = "/users/me", "/auth/jwt/login", True


async def populate(settings: dict[str, Any], count: int) -> list[Person]:
    """Make the accounts with one hash, and sign their tokens."""
    store = _store(settings)
    await store.open()
    hashed = PasswordHelper().hash(PASSWORD)
    users = [
        store.user(email=f"person{number}@example.com", hashed_password=hashed, is_verified=True)
        for number in range(count)
    ]
    await store.add(users)
    strategy = _strategy(settings)
    people = [Person(user.email, await strategy.write_token(user)) for user in users]
    await store.close()
    return people


def build(settings: dict[str, Any]) -> FastAPI:
    """Mount its routes for signing in and for users."""
    store = _store(settings)

    class UserManager(store.id_mixin, BaseUserManager):  # type: ignore[name-defined, misc]
        reset_password_token_secret = settings["secret"]
        verification_token_secret = settings["secret"]

    class UserRead(schemas.BaseUser[store.id]):  # type: ignore[name-defined, misc]
        pass

    class UserUpdate(schemas.BaseUserUpdate):  # type: ignore[misc]
        pass

    async def user_manager(database: Any = Depends(store.database)) -> AsyncIterator[Any]:
        yield UserManager(database)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.open()
        yield
        await store.close()

    backend = AuthenticationBackend(
        name="jwt",
        transport=BearerTransport(tokenUrl="auth/jwt/login"),
        get_strategy=lambda: _strategy(settings),
    )
    users = FastAPIUsers(user_manager, [backend])
    app = FastAPI(lifespan=lifespan)
    app.include_router(users.get_auth_router(backend), prefix="/auth/jwt")
    app.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users")
    return app


def _strategy(settings: dict[str, Any]) -> Any:
    return JWTStrategy(secret=settings["secret"], lifetime_seconds=7200)


def _store(settings: dict[str, Any]) -> Any:
    url = settings["database_url"]
    return _Beanie(url) if url.startswith("mongodb") else _SqlAlchemy(url)


class _SqlAlchemy:
    id, id_mixin = uuid.UUID, UUIDIDMixin

    def __init__(self, url: str) -> None:
        from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        from sqlalchemy.orm import DeclarativeBase

        class Base(DeclarativeBase):
            pass

        class User(SQLAlchemyBaseUserTableUUID, Base):  # type: ignore[misc]
            pass

        self._metadata, self.user = Base.metadata, User
        self._engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._adapter = SQLAlchemyUserDatabase

    async def open(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(self._metadata.create_all)

    async def add(self, users: list[Any]) -> None:
        async with self._sessions() as session:
            session.add_all(users)
            await session.commit()

    async def close(self) -> None:
        await self._engine.dispose()

    async def database(self) -> AsyncIterator[Any]:
        async with self._sessions() as session:
            yield self._adapter(session, self.user)


class _Beanie:
    def __init__(self, url: str) -> None:
        from beanie import Document, PydanticObjectId
        from fastapi_users_db_beanie import BeanieBaseUser, BeanieUserDatabase, ObjectIDIDMixin

        class User(BeanieBaseUser, Document):  # type: ignore[misc]
            pass

        self.id, self.id_mixin, self.user = PydanticObjectId, ObjectIDIDMixin, User
        self._url, self._adapter = url, BeanieUserDatabase

    async def open(self) -> None:
        from beanie import init_beanie
        from pymongo import AsyncMongoClient

        self._client: Any = AsyncMongoClient(self._url)
        await init_beanie(self._client.get_default_database(), document_models=[self.user])

    async def add(self, users: list[Any]) -> None:
        for user in users:
            await user.create()

    async def close(self) -> None:
        await self._client.close()

    async def database(self) -> AsyncIterator[Any]:
        yield self._adapter(self.user)
