"""FastAPI and one endpoint, for what a framework costs before any package comes to it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from benchmarks.applications import Person

ME, LOGIN, FORM = "/me", "", False


async def populate(settings: dict[str, Any], count: int) -> list[Person]:  # noqa: ARG001 - it has no storage
    """Name people that nobody knows."""
    return [Person(str(number)) for number in range(count)]


def build(settings: dict[str, Any]) -> FastAPI:  # noqa: ARG001
    """Make the application."""
    app = FastAPI()

    @app.get(ME)
    async def me() -> dict[str, str]:
        return {"id": "nobody"}

    return app
