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

sys.path[0] = str(Path(__file__).parents[1])


async def first_answer(app: Any, path: str, token: str) -> None:
    """Start an ASGI application, ask it once, and stop it."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    lifespan = asyncio.create_task(app({"type": "lifespan", "state": {}}, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    assert (await from_app.get())["type"] == "lifespan.startup.complete"
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
    await to_app.put({"type": "http.request", "body": b"", "more_body": False})
    await app(scope, to_app.get, from_app.put)
    assert (await from_app.get())["status"] == 200
    assert (await from_app.get())["type"] == "http.response.body"
    await to_app.put({"type": "lifespan.shutdown"})
    await lifespan


def main(path: str) -> None:
    """Build the application and ask it."""
    given = json.loads(Path(path).read_text())
    facts = json.loads(Path(given["facts"]).read_text())
    module = import_module(f"benchmarks.applications.{given['module']}")
    asyncio.run(first_answer(module.build(given["settings"]), facts["me"], facts["people"][0][1]))
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))


if __name__ == "__main__":
    main(sys.argv[1])
