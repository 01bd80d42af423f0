"""What all repositories have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from regstack.models.instant import to_milliseconds
from regstack_redis_sample.script import Script

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from regstack.auth.clock import Clock
    from regstack_redis_sample.server import Server


class Repository:
    """Calls the operations of one script.

    Args:
        server: where they run.
        prefix: what all keys begin with.
        clock: where the time comes from, where no operation is told it.
    """

    script_name: ClassVar[str]

    def __init__(self, server: Server, prefix: str, clock: Clock) -> None:
        self._server = server
        self._prefix = prefix
        self._clock = clock
        self._script = Script(self.script_name)

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    def _now(self) -> int:
        return to_milliseconds(self._clock.now())

    async def _read(self, operation: str, *arguments: Any) -> Any:
        return await self._server.run(self._script, self._prefix, operation, *arguments, writes=False)

    async def _change(self, operation: str, *arguments: Any) -> Any:
        return await self._server.run(self._script, self._prefix, operation, *arguments, writes=True)

    async def _did(self, operation: str, *arguments: Any) -> bool:
        return bool(await self._change(operation, *arguments))

    async def _purge(self, now: datetime, grace: timedelta, batch: int) -> int:
        until, deleted = to_milliseconds(now - grace), 0
        while True:
            swept = int(await self._change("purge", until, batch))
            deleted += swept
            if swept < batch:
                return deleted
