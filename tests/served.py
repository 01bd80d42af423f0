"""An application behind a real socket, in a thread of its own, whose insides a test can still reach."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn

from regstack import RegStack, RegStackConfig
from regstack.cli.server import listen
from regstack.email.console import ConsoleEmailService
from regstack.sms.null import NullSmsService
from tests.everything import mounted
from tests.social import providers

T = TypeVar("T")
DEADLINE_SECONDS = 60


class Quiet(ConsoleEmailService):
    """Keeps mails in its outbox and prints none."""

    async def send(self, message: Any) -> None:
        self.outbox.append(message)


class Served:
    """One `RegStack`, its JSON routes, and uvicorn.

    Attributes:
        rs: the instance; its coroutines run by `run`, on the loop of the server.
        outbox: the mails that it sent.
        texts: the text messages that it sent.
        document: its OpenAPI document.
        url: where it answers.
    """

    def __init__(self, config: RegStackConfig) -> None:
        self._mail, sms = Quiet(), NullSmsService()
        self.texts = sms.outbox
        self.rs = RegStack(config, email_service=self._mail, sms_service=sms, oauth_providers=providers())
        self.outbox = self._mail.outbox
        self._app = mounted(self.rs)
        self.document = self._app.openapi()
        self._listener = listen("127.0.0.1", 0)
        self.url = self._listener.url
        self._server = uvicorn.Server(uvicorn.Config(self._app, log_config=None, lifespan="off"))
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        try:
            async with self.rs:
                self._ready.set_result(asyncio.get_running_loop())
                await self._server.serve(sockets=[self._listener.socket])
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    @property
    def connections(self) -> set[Any]:
        """The connections that clients hold open, as far as the server knows."""
        return self._server.server_state.connections

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the application runs, and give what it gives."""
        loop = self._ready.result(DEADLINE_SECONDS)
        return asyncio.run_coroutine_threadsafe(work, loop).result(DEADLINE_SECONDS)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result(DEADLINE_SECONDS)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(DEADLINE_SECONDS)
        self._listener.socket.close()
