"""The files that the pages load."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
STYLESHEET = "regstack.css"

CACHE_SECONDS = 86400


def static_files() -> StaticFiles:
    """Make the ASGI application that a host mounts at `static_prefix`."""
    return _Assets(directory=FOLDER)


def stylesheet_version() -> str:
    """Give a text that changes with the stylesheet, so that no cache serves an older one."""
    return hashlib.sha256((FOLDER / STYLESHEET).read_bytes()).hexdigest()[:12]


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = f"public, max-age={CACHE_SECONDS}"
        return response
