"""A server process of the tests' own, in a session of its own, with a folder and a port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Self

START_SECONDS = 60
STOP_SECONDS = 30
POLL_SECONDS = 0.02


class ServerFailed(RuntimeError):
    """The server did not start; the text is the end of its log."""


class Server(ABC):
    """One server, from `start` to `close`.

    Attributes:
        folder: everything that it writes; `close` removes it.
        port: of 127.0.0.1, the same after every start.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"regstack-{type(self).__name__.lower()}-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Give the command line that runs it in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Say whether it takes connections; an exception counts as no."""

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [str(part) for part in self.command()],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            while self._process.poll() is None:
                if self._is_up():
                    return self
                if time.monotonic() > deadline:
                    self.kill()
                    break
                time.sleep(POLL_SECONDS)
            # After a kill, what the last process held may take a moment to be given back.
            if time.monotonic() > deadline:
                raise ServerFailed((self.folder / "log").read_text(errors="replace")[-4000:])
            time.sleep(5 * POLL_SECONDS)

    def _is_up(self) -> bool:
        try:
            return self.answers()
        except Exception:  # noqa: BLE001 - a driver of any kind
            return False

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        """It was started, and has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it and all its children at once, as a power cut would."""
        if self._process is not None:
            signal_group(self._process, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def pause(self) -> None:
        """Let it take no further step; connections stay open and nothing answers."""
        if self._process is not None:
            signal_group(self._process, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        if self._process is not None:
            signal_group(self._process, signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove what it wrote."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and its children, where any of them lives."""
    children = children_of(process.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)


def children_of(pid: int) -> list[int]:
    """Give the processes that a process started; PostgreSQL's leave its group."""
    listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = (line.split() for line in listed.splitlines())
    return [int(child) for child, parent in pairs if parent == str(pid)]


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def packaged(module: str, path: str) -> Path:
    """Give a file that a pip-installed package brings."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(f"the package {module} is not installed: run `make test`, which brings it")
    return Path(next(iter(spec.submodule_search_locations))) / path
