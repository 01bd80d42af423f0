"""`regstack serve --demo`: all pages and routes, on a database that is thrown away."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import sys
import tempfile
from importlib.util import find_spec
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
    from regstack.sms.service import SmsMessage

ADMINISTRATOR = "admin@example.com"


class Outbox:
    """A folder that gets one file a message.

    Args:
        folder: made if it is not there.
        suffix: of the files.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._suffix = suffix
        self._numbers = itertools.count(1)

    def put(self, message: bytes) -> None:
        """Write a file, `0001` and the suffix, `0002` and so on."""
        draft = self._folder / f"{secrets.token_hex(8)}.draft"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(message)
        # A link, unlike a rename, never replaces a file of another demo; and nobody sees half a file.
        for number in self._numbers:
            try:
                os.link(draft, self._folder / f"{number:04}{self._suffix}")
            except FileExistsError:
                continue
            break
        draft.unlink()


class DemoMail:
    """Prints each mail with its link, and writes it into a folder as well.

    Args:
        folder: gets one file a mail, `0001.eml` and so on.
        from_address: the sender.
    """

    def __init__(self, folder: Path, from_address: str) -> None:
        self._outbox = Outbox(folder, ".eml")
        self._from_address = from_address
        self._terminal = ConsoleEmailService(log_bodies=True, stream=sys.stdout)

    async def send(self, message: MailMessage) -> None:
        """Print the mail and write its file."""
        await self._terminal.send(message)
        self._outbox.put(message.to_email(self._from_address).as_bytes())


class DemoTexts:
    """Prints each text with its code, and writes it into a folder as well.

    Args:
        folder: gets one file a text, `0001.txt` and so on: the number, and below it the text.
    """

    def __init__(self, folder: Path) -> None:
        self._outbox = Outbox(folder, ".txt")

    async def send(self, message: SmsMessage) -> None:
        """Print the text and write its file."""
        typer.echo(f"text message to {message.to}\n\n  {message.text}\n")
        self._outbox.put(f"{message.to}\n{message.text}\n".encode())


def run_demo(host: str, port: int, outbox: Path | None) -> None:
    """Serve until a signal comes, and forget everything.

    Args:
        host: address to listen on.
        port: port, 0 for a free one.
        outbox: folder for mails, texts and the administrator's password, if not one that is
            thrown away too.

    Raises:
        ConfigurationError: the address cannot be listened on.
        PluginError: no usable plugin takes SQLite URLs.
    """
    listener = listen(host, port)
    # uvicorn raises a signal again once it has stopped; only an exception lets the folder be removed.
    signal.signal(signal.SIGTERM, _leave)
    with tempfile.TemporaryDirectory(prefix="regstack-demo-") as folder:
        config = demo_config(listener.url, Path(folder))
        outbox = outbox or Path(folder) / "mails"
        mail, texts = DemoMail(outbox, config.email.from_address), DemoTexts(outbox)
        password = secrets.token_urlsafe(12)

        async def welcome(rs: RegStack) -> None:
            await rs.bootstrap_admin(ADMINISTRATOR, password)
            Outbox(outbox, ".administrator").put(f"{ADMINISTRATOR}\n{password}\n".encode())
            typer.echo(_banner(config, listener, password))

        app = build_application(
            config, email_service=mail, sms_service=texts, on_start=welcome, documentation=True
        )
        run_server(app, listener)


def demo_config(base_url: str, folder: Path) -> RegStackConfig:
    """Give settings with everything on that is installed, a fresh key, and a database in the folder."""
    return RegStackConfig(
        app_name="RegStack demo",
        base_url=base_url,
        database_url=f"sqlite+aiosqlite:///{folder / 'demo.db'}",
        jwt_secret=secrets.token_urlsafe(48),
        enable_ui_router=True,
        enable_admin_router=True,
        enable_sms_2fa=find_spec("phonenumbers") is not None,
        email=EmailConfig(backend="console", log_bodies=True),
    )


def _banner(config: RegStackConfig, listener: Listener, password: str) -> str:
    return f"""
  {config.app_name}, on a database that is thrown away at the end

    pages           {listener.url}{config.ui_prefix}/register
    documentation   {listener.url}/docs
    administrator   {ADMINISTRATOR}, password {password}

  Mails and text messages are printed here. Stop with Ctrl+C.
"""


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
