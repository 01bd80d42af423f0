"""A browser without a script engine, in front of one application that serves the pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from regstack import RegStack, RegStackConfig
from regstack.auth.clock import FrozenClock

PASSWORD = "correct horse battery"
NEW_PASSWORD = "another long password"


class Outbox:
    """A mail transport that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def send(self, message: Any) -> None:
        self.mails.append(message)


class Markup(HTMLParser):
    """What a person, a password manager and a screen reader find in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._form: dict[str, str] | None = None
        self._named: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        for name in (tag, f"role={found.get('role')}", f"#{found.get('id')}"):
            if name in {"title", "h1", "role=alert", "role=status"} or name.startswith("#"):
                self.texts.setdefault(name, "")
                if tag != "input":
                    self._named.append((tag, name))
        if tag == "form":
            self._form = self.forms.setdefault(found["action"] or "", {})
        elif tag == "input" and self._form is not None and found.get("type") != "checkbox":
            self._form[found["name"] or ""] = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        self._named = [(open_tag, name) for open_tag, name in self._named if open_tag != tag]

    def handle_data(self, data: str) -> None:
        for _, name in self._named:
            self.texts[name] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    def field(self, name: str) -> dict[str, str | None]:
        return next(attrs for _, attrs in self.elements if attrs.get("id") == name)


@dataclass
class Page:
    """An answer, as a browser shows it."""

    answer: httpx2.Response
    markup: Markup = field(init=False)

    def __post_init__(self) -> None:
        self.markup = Markup(self.answer.text)

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def path(self) -> str:
        return self.answer.request.url.raw_path.decode()

    @property
    def title(self) -> str:
        return self.markup.texts["title"]

    @property
    def heading(self) -> str:
        return self.markup.texts["h1"]

    @property
    def alert(self) -> str | None:
        return self.markup.texts.get("role=alert")

    @property
    def notice(self) -> str | None:
        return self.markup.texts.get("role=status")

    @property
    def html(self) -> str:
        return self.answer.text

    def problem(self, field: str) -> str | None:
        return self.markup.texts.get(f"#{field}-problem")


@dataclass
class Browser:
    """Keeps cookies, follows redirects, and says where its requests come from, as browsers do."""

    rs: RegStack
    client: httpx2.AsyncClient
    clock: FrozenClock
    outbox: Outbox

    @property
    def cookie(self) -> str | None:
        return self.client.cookies.get("regstack-account") or self.client.cookies.get(
            "__Host-regstack-account"
        )

    def url(self, page: str) -> str:
        return f"{self.rs.config.ui_prefix}/{page}"

    async def open(self, page: str, *, follow: bool = True) -> Page:
        path = page if page.startswith(("/", "http")) else self.url(page)
        return Page(await self.client.get(path, follow_redirects=follow))

    async def post(
        self,
        page: str,
        entries: dict[str, str] | None = None,
        *,
        headers: dict[str, str] | None = None,
        follow: bool = True,
        **kwargs: Any,
    ) -> Page:
        """Post entries as they are, whatever the page's form looks like."""
        headers = {"Sec-Fetch-Site": "same-origin"} if headers is None else headers
        kwargs = kwargs or {"data": entries or {}}
        path = page if page.startswith("/") else self.url(page)
        return Page(await self.client.post(path, headers=headers, follow_redirects=follow, **kwargs))

    async def fill(self, page: Page, action: str, **entries: str) -> Page:
        """Fill a form of a page in and send it."""
        form = page.markup.forms[self.url(action)]
        unknown = entries.keys() - form.keys() - {"confirm"}
        assert not unknown, f"the form {action} has no field {unknown}"
        return await self.post(action, form | entries)

    async def mails(self, to: str) -> list[Any]:
        assert await self.rs.drain()
        return [mail for mail in self.outbox.mails if mail.to == to]

    async def link(self, to: str) -> str:
        """The link in the newest mail to an address."""
        found = re.search(r"https?://\S+token=[\w-]+", (await self.mails(to))[-1].text)
        assert found
        return found[0]

    async def register(self, email: str = "alice@example.com", name: str = "") -> Page:
        form = await self.open("register")
        return await self.fill(form, "register", email=email, password=PASSWORD, full_name=name)

    async def account(self, email: str = "alice@example.com", name: str = "") -> None:
        """Register an address and confirm it, from another browser."""
        await self.register(email, name)
        await self.rs.services.registration.verify((await self.link(email)).partition("token=")[2])

    async def log_in(self, email: str = "alice@example.com", password: str = PASSWORD) -> Page:
        return await self.fill(await self.open("login"), "login", email=email, password=password)


MakeBrowser = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def make_browser() -> AsyncIterator[MakeBrowser]:
    """Start an application with the settings given and a browser in front of it."""
    async with AsyncExitStack() as stack:

        async def make(*, oauth_providers: Any = None, **settings: Any) -> Browser:
            defaults = {
                "database_url": "memory://",
                "jwt_secret": "a root secret that only the tests know " * 2,
                "password_hash_preset": "insecure-test",
                "base_url": "http://app.example",
                "enable_ui_router": True,
            }
            clock, outbox = FrozenClock(datetime(2026, 3, 1, 12, tzinfo=UTC)), Outbox()
            config = RegStackConfig(**(defaults | settings))
            made = RegStack(config, clock=clock, email_service=outbox, oauth_providers=oauth_providers)
            rs = await stack.enter_async_context(made)
            app = FastAPI()
            app.include_router(rs.router, prefix=config.api_prefix)
            app.include_router(rs.ui_router, prefix=config.ui_prefix)
            app.mount(config.static_prefix, rs.static_files)
            client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=config.base_url)
            return Browser(rs, await stack.enter_async_context(client), clock, outbox)

        yield make


@pytest.fixture
async def browser(make_browser: MakeBrowser) -> Browser:
    """A browser in front of an application with the default settings."""
    return await make_browser()
