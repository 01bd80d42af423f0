"""One worker: `python application.py SETTINGS`, where SETTINGS is a JSON file.

It runs the application of `regstack serve`. Mails go into a folder that all workers share.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from regstack import RegStack, RegStackConfig
from regstack.cli.application import build_application
from regstack.cli.server import listen, run_server
from regstack.email.message import MailMessage


class MailFolder:
    """Writes the text of each mail into a file whose name begins with the recipient's address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: MailMessage) -> None:
        name = f"{message.to} {time.monotonic_ns():020}"
        draft = self._folder / f".{name}"
        draft.write_text(message.text)
        draft.rename(self._folder / name)


def main(path: str) -> None:
    given = json.loads(Path(path).read_text())
    config = RegStackConfig(**given["settings"])

    async def appoint(rs: RegStack) -> None:
        await rs.bootstrap_admin(**given["administrator"])

    app = build_application(
        config, email_service=MailFolder(Path(given["mails"])), on_start=appoint, documentation=True
    )
    run_server(app, listen("127.0.0.1", given["port"]))


if __name__ == "__main__":
    main(sys.argv[1])
