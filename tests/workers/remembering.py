"""A worker that remembers tokens: `python remembering.py SETTINGS`, where SETTINGS is a JSON file.

It reads lines `INSTANCE NUMBER TOKEN`, and answers each with `NUMBER True` or `NUMBER False`: whether
that instance accepts the token. It has two instances, as the file says: `deaf` hears of nothing that
other processes do, and `hearing` of everything.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from regstack import RegStack, RegStackConfig
from regstack.auth.clock import SystemClock
from regstack.backends.changes import ANYTHING, Change, ChangeFeed
from regstack.errors import InvalidToken
from regstack.plugins.registry import PluginRegistry


class Deaf(ChangeFeed):
    """Says that it listens, and then nothing, as behind a network that was cut."""

    async def listen(self) -> AsyncGenerator[Change, None]:
        yield ANYTHING
        await asyncio.Event().wait()


class Hearing(ChangeFeed):
    """Passes on what another feed tells, and says when it has begun."""

    def __init__(self, feed: ChangeFeed) -> None:
        self._feed = feed
        self.began = asyncio.Event()

    async def listen(self) -> AsyncGenerator[Change, None]:
        async for change in self._feed.listen():
            yield change
            self.began.set()


async def main(given: dict[str, Any]) -> None:
    registry, clock = PluginRegistry.discover(), SystemClock()
    instances = {}
    for name, settings in given.items():
        config = RegStackConfig(**settings)
        backend = registry.create_backend(config, clock)
        feed = backend.change_feed()
        heard = Hearing(feed) if name == "hearing" and feed is not None else None
        backend.change_feed = lambda heard=heard: heard or Deaf()  # type: ignore[method-assign, misc]
        instances[name] = await RegStack(config, backend, clock).__aenter__()
        if heard is not None:
            await heard.began.wait()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)

    async def answer(name: str, number: str, token: str) -> None:
        try:
            await instances[name].services.sessions.recognise(token, fresh=False)
        except InvalidToken:
            print(number, False, flush=True)
        else:
            print(number, True, flush=True)

    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            tasks.create_task(answer(*line.decode().split()))
    for rs in instances.values():
        await rs.aclose()
        await rs.backend.aclose()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
