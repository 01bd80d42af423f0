"""From a new interpreter to an application's first answer: `python first_answer.py GIVEN`.

GIVEN is the file of a server that runs (`serve.py`), over whose database the application starts
once more; it is asked for one `GET /me` without a socket. Prints the modules that were imported.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


async def first_answer(app: Any, path: str, token: str) -> None:
    """Start an ASGI application, ask it once, and stop it."""
    to_lifespan: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_lifespan: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    lifespan = asyncio.create_task(app({"type": "lifespan", "state": {}}, to_lifespan.get, from_lifespan.put))
    await to_lifespan.put({"type": "lifespan.startup"})
    assert (await from_lifespan.get())["type"] == "lifespan.startup.complete"
    assert await status(app, path, token) == 200
    await to_lifespan.put({"type": "lifespan.shutdown"})
    await lifespan


async def status(app: Any, path: str, token: str) -> int:
    """Ask an ASGI application, and give the status of its answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    answer: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)

    await app(scope, receive, send)
    return int(answer[0]["status"])


def main(path: str) -> None:
    """Build the application and ask it."""
    given = json.loads(Path(path).read_text())
    facts = json.loads(Path(given["facts"]).read_text())
    module = import_module(f"benchmarks.applications.{given['module']}")
    asyncio.run(first_answer(module.build(given["settings"]), facts["me"], facts["people"][0][1]))
    print(json.dumps(sorted(sys.modules)))


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # the repository, in place of this folder
    main(sys.argv[1])
