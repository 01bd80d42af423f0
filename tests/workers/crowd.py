"""People who do everything that can be done with an account, all the time and all at once."""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2

from tests.workers.server import PASSWORD, ROOT, Caller

NEW = "another long password"
WRONG = "a wrong password"


class Unexpected(Exception):
    """An answer with another status than this call should have."""


class Crowd:
    """Calls the workers, and keeps what went wrong.

    Args:
        urls: of the workers.
        mails: the folder that they write mails and texts into.

    Attributes:
        calls: how often which route was called.
        unexpected: answers with another status than they should have, and calls without an answer.
    """

    def __init__(self, urls: list[str], mails: Path) -> None:
        self.calls: Counter[str] = Counter()
        self.unexpected: list[str] = []
        self._urls, self._mails = urls, mails
        self._workers: list[Caller] = []
        self._numbers = itertools.count(1)
        self._random = random.Random(5)

    async def lap(self, people: int, seconds: float) -> int:
        """Let people live one life after the other for some seconds; give how many calls they made."""
        before, until = self.calls.total(), time.monotonic() + seconds
        lives: list[Callable[[], Awaitable[None]]] = [self.owner] * people + [self.administrator]
        clients = [httpx2.AsyncClient(base_url=url, timeout=60) for url in self._urls]
        self._workers = [Caller(client, self._mails) for client in clients]

        async def live_on(live: Callable[[], Awaitable[None]]) -> None:
            while not self.unexpected:
                try:
                    await live()
                except (Unexpected, AssertionError, httpx2.HTTPError) as error:
                    self.unexpected.append(f"{type(error).__name__}: {error}")
                if time.monotonic() >= until:
                    return

        async with anyio.create_task_group() as tasks:
            for life in lives:
                tasks.start_soon(live_on, life)
        for client in clients:
            await client.aclose()
        return self.calls.total() - before

    async def owner(self) -> None:
        """Sign up, in and out, be attacked, forget, add a phone, and leave."""
        number = next(self._numbers)
        email, phone = f"person{number}@example.com", f"+4144668{number % 10000:04}"
        me = {"email": email, "password": PASSWORD}
        await self._sign_up(me)
        token = (await self.call(200, "POST", "/login", me))["access_token"]
        for _ in range(5):
            await self.call(200, "GET", "/me", token=token)
        await self.call(200, "PATCH", "/me", {"full_name": f"Person {number}"}, token)
        guess = {"current_password": WRONG, "new_password": NEW}
        await self.call(400, "POST", "/change-password", guess, token)
        await self.call(200, "POST", "/logout", token=token)
        await self.call(401, "GET", "/me", token=token)
        await self.page("/account/login")
        await self._recover(me)
        await self._add_phone(me, phone)
        token = await self._sign_in_with_phone(me, phone)
        await self.call(200, "DELETE", "/account", {"current_password": me["password"]}, token)
        await self.call(401, "GET", "/me", token=token)
        for recipient in (email, phone):
            shutil.rmtree(self._mails / recipient, ignore_errors=True)

    async def administrator(self) -> None:
        """Sign in and look through the accounts."""
        token = (await self.call(200, "POST", "/login", ROOT))["access_token"]
        await self.call(200, "GET", "/admin/stats", token=token)
        page = await self.call(200, "GET", "/admin/users?limit=5", token=token)
        while page["next"] is not None:
            page = await self.call(200, "GET", f"/admin/users?limit=5&after={page['next']}", token=token)
        await self.call(200, "GET", "/admin/users?search=person", token=token)
        await self.call(200, "POST", "/logout", token=token)

    async def _sign_up(self, me: dict[str, str]) -> None:
        await self.call(201, "POST", "/register", me)
        await self.call(400, "POST", "/verify", {"token": "w" * 43})
        await self.call(200, "POST", "/verify", {"token": await self._any().mailed_token(me["email"])})
        await self.call(409, "POST", "/register", me)
        for address in (me["email"], f"no-{me['email']}"):
            await self.call(401, "POST", "/login", {"email": address, "password": WRONG})

    async def _recover(self, me: dict[str, str]) -> None:
        await self.call(202, "POST", "/forgot-password", {"email": me["email"]})
        reset = {"token": await self._any().mailed_token(me["email"]), "new_password": NEW}
        await self.call(200, "POST", "/reset-password", reset)
        await self.call(400, "POST", "/reset-password", reset)
        me["password"] = NEW

    async def _add_phone(self, me: dict[str, str], phone: str) -> None:
        token = (await self.call(200, "POST", "/login", me))["access_token"]
        body = {"phone_number": phone, "current_password": me["password"]}
        pending = (await self.call(202, "POST", "/phone/start", body, token))["pending_token"]
        code = {"pending_token": pending, "code": await self._any().texted_code(phone)}
        await self.call(200, "POST", "/phone/confirm", code, token)

    async def _sign_in_with_phone(self, me: dict[str, str], phone: str) -> str:
        pending = (await self.call(200, "POST", "/login", me))["mfa_pending_token"]
        right = await self._any().texted_code(phone)
        wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
        await self.call(400, "POST", "/login/mfa-confirm", {"mfa_pending_token": pending, "code": wrong})
        body = {"mfa_pending_token": pending, "code": right}
        return str((await self.call(200, "POST", "/login/mfa-confirm", body))["access_token"])

    async def call(
        self, status: int, method: str, path: str, body: Any = None, token: str | None = None
    ) -> Any:
        """Call any worker; give the JSON of an answer that has this status.

        Raises:
            Unexpected: it has another.
        """
        answer = await self._any().call(method, path, body, token)
        return self._expected(answer, status, f"{method} {path.partition('?')[0]}").json()

    async def page(self, path: str) -> None:
        """Open a page, on any worker."""
        self._expected(await self._any().client.get(path), 200, f"GET {path}")

    def _expected(self, answer: httpx2.Response, status: int, route: str) -> httpx2.Response:
        self.calls[route] += 1
        if answer.status_code != status:
            raise Unexpected(f"{route}: {answer.status_code} and not {status}: {answer.text}")
        return answer

    def _any(self) -> Caller:
        return self._random.choice(self._workers)
