"""A process that is killed while it writes: `python -m tests.reliability.sqlite_writer URL SEED`.

It prints a line for each write once it was acknowledged: what to look for, and where.
"""

from __future__ import annotations

import asyncio
import random
import sys

from regstack.auth.clock import SystemClock
from regstack.config.schema import RegStackConfig
from regstack.models.attempt import AttemptDecision
from regstack.plugins.registry import PluginRegistry
from regstack.testing.builders import HOUR, Builder


async def main(url: str, seed: str) -> None:
    clock = SystemClock()
    backend = PluginRegistry.discover().create_backend(RegStackConfig(database_url=url), clock)
    make, rng = Builder(clock), random.Random(seed)

    async def write(kind: str) -> str:
        user = await backend.users.create(make.user())
        if kind == "user":
            return user.id
        if kind == "password":
            await backend.users.set_password(user.id, "new")
            return user.id
        if kind == "deleted":
            await backend.users.delete(user.id)
            return user.id
        key = make.id()
        if kind == "revoked":
            await backend.blacklist.revoke(key, clock.now() + 24 * HOUR)
        else:
            decision = await backend.attempts.claim(key, limit=5, window=24 * HOUR, now=clock.now())
            assert isinstance(decision, AttemptDecision)
        return key

    async def writer() -> None:
        while True:
            kind = rng.choice(("user", "password", "deleted", "revoked", "claimed"))
            print(kind, await write(kind), flush=True)

    await asyncio.gather(*(writer() for _ in range(3)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
