"""`regstack serve --demo`: everything switched on, on a database that is thrown away."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from regstack.cli.application import build_application
from regstack.cli.server import Listener, listen, run_server
from regstack.config.schema import EmailConfig, RegStackConfig
from regstack.email.console import ConsoleEmailService

if TYPE_CHECKING:
    from types import FrameType

    from regstack.app import RegStack
    from regstack.email.message import MailMessage

ADMINISTRATOR = "admin@example.com"


class DemoMail:
    """Prints each mail with its link, and writes it into a folder as well.

    Args:
        folder: gets one file a mail, `0001.eml` and so on; made if it is not there.
        from_address: the sender.
    """

    def __init__(self, folder: Path, from_address: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._from_address = from_address
        self._numbers = itertools.count(1)
        self._terminal = ConsoleEmailService(log_bodies=True, stream=sys.stdout)

    async def send(self, message: MailMessage) -> None:
        """Print the mail and write its file."""
        await self._terminal.send(message)
        mail = message.to_email(self._from_address).as_bytes()
        draft = self._folder / f"{secrets.token_hex(8)}.draft"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(mail)
        # A link, unlike a rename, never replaces a mail of another demo; and nobody sees half a file.
        for number in self._numbers:
            try:
                os.link(draft, self._folder / f"{number:04}.eml")
            except FileExistsError:
                continue
            break
        draft.unlink()


def run_demo(host: str, port: int, outbox: Path | None) -> None:
    """Serve until a signal comes, and forget everything.

    Args:
        host: address to listen on.
        port: port, 0 for a free one.
        outbox: folder for the mails, if not one that is thrown away too.

    Raises:
        ConfigurationError: the address cannot be listened on.
        PluginError: no usable plugin takes SQLite URLs.
    """
    listener = listen(host, port)
    # uvicorn raises a signal again once it has stopped; only an exception lets the folder be removed.
    signal.signal(signal.SIGTERM, _leave)
    with tempfile.TemporaryDirectory(prefix="regstack-demo-") as folder:
        config = demo_config(listener.url, Path(folder))
        mail = DemoMail(outbox or Path(folder) / "mails", config.email.from_address)
        password = secrets.token_urlsafe(12)

        async def welcome(rs: RegStack) -> None:
            await rs.bootstrap_admin(ADMINISTRATOR, password)
            typer.echo(_banner(config, listener, password))

        app = build_application(config, email_service=mail, on_start=welcome, documentation=True)
        run_server(app, listener)


def demo_config(base_url: str, folder: Path) -> RegStackConfig:
    """Give settings with everything on, a fresh key, and a database in the folder."""
    return RegStackConfig(
        app_name="RegStack demo",
        base_url=base_url,
        database_url=f"sqlite+aiosqlite:///{folder / 'demo.db'}",
        jwt_secret=secrets.token_urlsafe(48),
        enable_ui_router=True,
        enable_admin_router=True,
        email=EmailConfig(backend="console", log_bodies=True),
    )


def _banner(config: RegStackConfig, listener: Listener, password: str) -> str:
    return f"""
  {config.app_name}, on a database that is thrown away at the end

    pages           {listener.url}{config.ui_prefix}/register
    documentation   {listener.url}/docs
    administrator   {ADMINISTRATOR}, password {password}

  Mails are printed here. Stop with Ctrl+C.
"""


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
