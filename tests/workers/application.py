"""One worker: `python application.py SETTINGS`, where SETTINGS is a JSON file.

It runs the application of `regstack serve`. Mails and texts go into a folder that all workers share, and
`/insides` tells what the process holds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path

from regstack import RegStack, RegStackConfig
from regstack.cli.application import build_application
from regstack.cli.server import listen, run_server
from regstack.email.message import MailMessage
from regstack.sms.service import SmsMessage


class Folder:
    """Writes the text of each mail and text message into a file, in a folder of its recipient."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: MailMessage | SmsMessage) -> None:
        name, folder = f"{time.monotonic_ns():020}", self._folder / message.to
        folder.mkdir(exist_ok=True)
        draft = folder / f".{name}"
        draft.write_text(message.text)
        draft.rename(folder / name)


def insides() -> dict[str, int]:
    """Say what this process holds; the system's part where Linux tells it."""
    gc.collect()
    proc = Path("/proc/self")
    pages = int((proc / "statm").read_text().split()[1]) if proc.exists() else 0
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
        "files": len(os.listdir(proc / "fd")) if proc.exists() else 0,
        "resident_kib": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
    }


def main(path: str) -> None:
    given = json.loads(Path(path).read_text())
    config = RegStackConfig(**given["settings"])

    async def appoint(rs: RegStack) -> None:
        await rs.bootstrap_admin(**given["administrator"])

    folder = Folder(Path(given["mails"]))
    app = build_application(
        config, email_service=folder, sms_service=folder, on_start=appoint, documentation=True
    )

    @app.get("/insides", include_in_schema=False)
    async def tell() -> dict[str, int]:
        return insides()

    run_server(app, listen("127.0.0.1", given["port"]))


if __name__ == "__main__":
    main(sys.argv[1])
