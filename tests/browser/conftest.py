"""A real Chromium without scripts, in front of a real server.

Chromium is driven over the W3C WebDriver protocol, which is JSON over HTTP: httpx2 is all it takes.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, Self

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from regstack import RegStack, RegStackConfig
from regstack.sms.null import NullSmsService
from tests.social import FakeProvider, person

INSTALL = "apt-get install -y --no-install-recommends chromium chromium-driver"
DEADLINE = 60.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""Key of an element's id (W3C WebDriver, section 12.2)."""


class Chromium:
    """One browser session."""

    def __init__(self, driver: httpx2.Client, options: dict[str, Any]) -> None:
        self._driver = driver
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        answer = driver.post("/session", json={"capabilities": capabilities}).json()["value"]
        assert "sessionId" in answer, answer
        self._session = f"/session/{answer['sessionId']}"
        self._process = int(answer["capabilities"]["goog:processID"])
        self._call("POST", "timeouts", {"implicit": int(DEADLINE * 1000)})

    def _call(self, method: str, command: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._driver.request(method, f"{self._session}/{command}".rstrip("/"), json=body)
        value = answer.json()["value"]
        assert answer.is_success, f"{command}: {value['error']}: {value['message']}"
        return value

    def _element(self, css: str) -> str:
        return str(self._call("POST", "element", {"using": "css selector", "value": css})[ELEMENT])

    def open(self, url: str) -> None:
        self._call("POST", "url", {"url": url})

    @property
    def url(self) -> str:
        return str(self._call("GET", "url"))

    def text(self, css: str = "main") -> str:
        return str(self._call("GET", f"element/{self._element(css)}/text"))

    def style(self, css: str, name: str) -> str:
        return str(self._call("GET", f"element/{self._element(css)}/css/{name}"))

    def write(self, css: str, text: str) -> None:
        element = self._element(css)
        self._call("POST", f"element/{element}/clear", {})
        self._call("POST", f"element/{element}/value", {"text": text})

    def click(self, css: str) -> None:
        self._call("POST", f"element/{self._element(css)}/click", {})

    def follow(self, css: str) -> None:
        """Click on what leads to another document, and wait until that has taken the place."""
        document, target, deadline = self._element("html"), self._element(css), monotonic() + DEADLINE
        self._call("POST", f"element/{target}/click", {})
        while self._driver.get(f"{self._session}/element/{document}/name").is_success:
            assert monotonic() < deadline, f"{css} leads nowhere"

    def fill(self, action: str, **entries: str) -> None:
        """Write into the fields of the form with this action, and send it."""
        form = f'form[action$="{action}"]'
        for name, text in entries.items():
            self.write(f'{form} [name="{name}"]', text)
        self.follow(f"{form} button")

    def cookies(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "cookie"))

    def forget(self, cookie: str) -> None:
        self._call("DELETE", f"cookie/{cookie}")

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("GET", "screenshot")))

    def close(self) -> None:
        """End the browser, even where the driver does not answer any more."""
        with suppress(httpx2.HTTPError):
            self._call("DELETE", "")
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGTERM)


@contextmanager
def running_chromium(profile: Path, *arguments: str) -> Iterator[Chromium]:
    """Start the driver on a free port and a browser with an empty profile and no scripts."""
    with ExitStack() as stack:
        command = ["chromedriver", "--port=0"]
        output = subprocess.PIPE
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)
        stack.enter_context(process)
        stack.callback(process.terminate)
        driver = httpx2.Client(base_url=f"http://127.0.0.1:{_port_of(process)}", timeout=2 * DEADLINE)
        stack.enter_context(driver)
        options = {
            "binary": shutil.which("chromium"),
            "args": [
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                *("--disable-dev-shm-usage", f"--user-data-dir={profile}"),
                *arguments,
            ],
            "prefs": {"profile.managed_default_content_settings.javascript": 2},
        }
        chromium = Chromium(driver, options)
        stack.callback(chromium.close)
        yield chromium


def _port_of(process: subprocess.Popen[str]) -> str:
    watchdog = threading.Timer(DEADLINE, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"started successfully on port (\d+)", line):
                return found[1]
    finally:
        watchdog.cancel()
    raise AssertionError(f"chromedriver did not start: {said}")


class Outbox:
    """A mail transport that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def send(self, message: Any) -> None:
        self.mails.append(message)


class Server:
    """An application with the pages on a free port of the loopback interface.

    Args:
        host: the name by which the browser reaches it.
        provider_host: the name by which it reaches an external provider, if there is to be one.
        settings: what the configuration is to have besides.
    """

    def __init__(self, host: str, provider_host: str | None = None, **settings: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        self.base_url = f"http://{host}:{port}"
        self.provider = FakeProvider(origin=f"http://{provider_host}:{port}") if provider_host else None
        self.outbox, self.texts = Outbox(), NullSmsService()
        defaults = {
            "app_name": "Example",
            "base_url": self.base_url,
            "database_url": "memory://",
            "jwt_secret": "a root secret that only the tests know " * 2,
            "password_hash_preset": "insecure-test",
            "enable_ui_router": True,
            "enable_oauth": provider_host is not None,
        }
        config = RegStackConfig(**(defaults | settings))
        providers = {"acme": self.provider} if self.provider else None
        self.rs = RegStack(
            config, email_service=self.outbox, sms_service=self.texts, oauth_providers=providers
        )
        self._ready = threading.Event()
        app = FastAPI(lifespan=self._lifespan)
        app.include_router(self.rs.ui_router, prefix=config.ui_prefix)
        app.mount(config.static_prefix, self.rs.static_files)
        app.get("/attack")(self._attack)
        if self.provider is not None:
            app.include_router(self.rs.router, prefix=config.api_prefix)
            app.get("/authorize")(self._authorize)
        self._uvicorn = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        self._thread = threading.Thread(target=lambda: self._uvicorn.run([self._socket]))

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        async with self.rs:
            self._ready.set()
            yield

    async def _attack(self) -> HTMLResponse:
        """What another site would show, to be opened under another name of this server."""
        action = f"{self.base_url}/account/login"
        return HTMLResponse(
            f'<form method="post" action="{action}"><input name="email" value="mallory@example.com">'
            '<input name="password" value="correct horse battery"><button>Win a prize</button></form>'
        )

    async def _authorize(self, state: str, redirect_uri: str) -> HTMLResponse:
        """What an external provider shows: it answers by a redirect or, as Apple does, by a form."""
        assert self.provider is not None
        code = self.provider.code(state, person())
        return HTMLResponse(
            f'<a id="by-redirect" href="{redirect_uri}?state={state}&code={code}">Allow</a>'
            f'<form method="post" action="{redirect_uri}"><input type="hidden" name="state" value="{state}">'
            f'<input type="hidden" name="code" value="{code}"><button id="by-form">Allow</button></form>'
        )

    def link(self, to: str) -> str:
        """The link in the newest mail to an address."""
        assert asyncio.run_coroutine_threadsafe(self.rs.drain(), self._loop).result(DEADLINE)
        text = [mail for mail in self.outbox.mails if mail.to == to][-1].text
        found = re.search(r"https?://\S+token=[\w-]+", text)
        assert found
        return found[0]

    def texted_code(self, to: str) -> str:
        """The code in the newest text to a number."""
        assert asyncio.run_coroutine_threadsafe(self.rs.drain(), self._loop).result(DEADLINE)
        return str([text for text in self.texts.outbox if text.to == to][-1].text.split()[0])

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(DEADLINE)
        self._socket.close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A headless Chromium in which every name ending in `.test` is this machine."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        message = f"these tests need Chromium and its driver: {INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    profile = tmp_path_factory.mktemp("chromium")
    with running_chromium(profile, "--host-resolver-rules=MAP *.test 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Start a server under a name."""
    with ExitStack() as stack:
        yield lambda host, **settings: stack.enter_context(Server(host, **settings))
