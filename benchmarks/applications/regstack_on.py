"""regstack as a host mounts it, with the settings given and its defaults."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from benchmarks.applications import PASSWORD, Person
from regstack import RegStack, RegStackConfig
from regstack.models.ids import new_id
from regstack.models.user import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PREFIX = "/api/auth"
ME, LOGIN, FORM = f"{PREFIX}/me", f"{PREFIX}/login", False


async def populate(settings: dict[str, Any], count: int) -> list[Person]:
    """Make the accounts; one hash serves all of them, since a check costs the same."""
    people = []
    async with RegStack(RegStackConfig(**settings)) as rs:
        hashed = await rs.password_hasher.hash(PASSWORD)
        for number in range(count):
            email = f"person{number}@example.com"
            user = User.new(
                id=new_id(rs.clock),
                email=email,
                email_key=email,
                hashed_password=hashed,
                now=rs.clock.now(),
                is_verified=True,
            )
            await rs.users.create(user)
            people.append(Person(email, rs.services.sessions.issue(user).text))
    return people


def build(settings: dict[str, Any]) -> FastAPI:
    """Mount the JSON routes."""
    rs = RegStack(RegStackConfig(**settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with rs:
            yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(rs.router, prefix=PREFIX)
    return app
