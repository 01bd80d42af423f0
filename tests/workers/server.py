"""Workers as processes, and what a person does with them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import anyio
import httpx2

from tests.everything import everything_on
from tests.servers.process import POLL_SECONDS, START_SECONDS, Server

PASSWORD = "correct horse battery"
ROOT = {"email": "root@example.com", "password": PASSWORD}
DEADLINE_SECONDS = 60


class Worker(Server):
    """One worker.

    Args:
        settings: what it is started with; the same for all workers of an application.
        mails: the folder that all of them write mails into.

    Attributes:
        url: where it answers.
    """

    def __init__(self, settings: dict[str, Any], mails: Path) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        given = {"settings": settings, "administrator": ROOT, "mails": str(mails), "port": self.port}
        (self.folder / "settings.json").write_text(json.dumps(given))

    def command(self) -> Sequence[str | Path]:
        return [sys.executable, Path(__file__).with_name("application.py"), self.folder / "settings.json"]

    def answers(self) -> bool:
        # Its socket is open before the application is built; whoever asks waits for the answer.
        with urlopen(f"{self.url}/healthz", timeout=START_SECONDS) as answer:
            return bool(answer.status == 200)


class Workers:
    """Workers that share a database and a secret.

    Args:
        database_url: of an empty database.
        mails: an empty folder.
        count: how many.
        **more: further settings.
    """

    def __init__(self, database_url: str, mails: Path, count: int = 2, **more: Any) -> None:
        settings = everything_on() | {"database_url": database_url, "base_url": "http://app.example"}
        settings |= {"resend_verification_rate_limit": "5/hour"} | more
        self.mails = mails
        self.workers = [Worker(settings, mails) for _ in range(count)]

    def __enter__(self) -> Self:
        try:
            with ThreadPoolExecutor(len(self.workers)) as threads:  # all at once, as a deployment does
                list(threads.map(Worker.start, self.workers))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.close()


@dataclass
class Caller:
    """Calls one worker."""

    client: httpx2.AsyncClient
    mails: Path

    async def call(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        more = {} if body is None else {"json": body}
        return await self.client.request(method, f"/api/auth{path}", headers=headers, **more)

    async def done(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Make a call that must succeed; give the JSON of its answer."""
        answer = await self.call(method, path, body, token)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json()

    async def log_in(self, email: str, password: str = PASSWORD) -> str:
        return str(
            (await self.done("POST", "/login", {"email": email, "password": password}))["access_token"]
        )

    async def mailed_token(self, to: str) -> str:
        """The token in the newest mail to an address that has one; waits until there is one."""
        return await self._sent(to, r"token=([\w-]+)")

    async def texted_code(self, to: str) -> str:
        """The code in the newest text to a number; waits until there is one."""
        return await self._sent(to, r"^(\d+)")

    async def _sent(self, to: str, pattern: str) -> str:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            for message in sorted((self.mails / to).glob("[!.]*"), reverse=True):
                if found := re.search(pattern, message.read_text()):
                    message.unlink()
                    return found[1]
            await anyio.sleep(POLL_SECONDS)
        raise AssertionError(f"nothing came to {to}")


@dataclass
class Person:
    """Somebody with an account who signed in on the first worker."""

    email: str
    id: str = ""
    token: str = field(default="", repr=False)


async def registered(one: Caller, other: Caller, email: str) -> Person:
    """Register on one worker, confirm on the other, sign in on the first."""
    await one.done("POST", "/register", {"email": email, "password": PASSWORD})
    user = await other.done("POST", "/verify", {"token": await one.mailed_token(email)})
    return Person(email, user["id"], await one.log_in(email))
