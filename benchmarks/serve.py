"""One server process: `python serve.py SETTINGS`, where SETTINGS is a JSON file.

    module       an application of `benchmarks.applications`
    settings     what it is built with
    people       how many accounts to make first; 0 for none
    facts        the file that takes them, with the application's paths
    port         of 127.0.0.1

It runs in the environment of regstack and in those of its peers, so it needs uvicorn alone. uvloop and
httptools are used where they are installed, in an environment or in the folder `libraries`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path

import uvicorn

KEEP_ALIVE_SECONDS = 120
"""Longer than any client rests that is told to come back later."""

# The repository, in place of this folder: `import benchmarks` works, and so does `import regstack`.
sys.path[0] = str(Path(__file__).parents[1])


def main(path: str) -> None:
    """Make accounts, then serve until a signal comes."""
    given = json.loads(Path(path).read_text())
    if given.get("libraries"):
        sys.path.append(given["libraries"])
    module = import_module(f"benchmarks.applications.{given['module']}")
    people = asyncio.run(module.populate(given["settings"], given["people"])) if given["people"] else []
    facts = {"me": module.ME, "login": module.LOGIN, "form": module.FORM, "people": people}
    Path(given["facts"]).write_text(json.dumps(facts))

    app = module.build(given["settings"])
    import_module("benchmarks.applications.gauges").add_gauges(app)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=given["port"],
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


if __name__ == "__main__":
    main(sys.argv[1])
