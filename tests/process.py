"""A script of a test in a process of its own, which says when it is ready and waits to begin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEADLINE_SECONDS = 60


class Process:
    """Runs until its end, or until `stop`."""

    def __init__(self, script: Path, *arguments: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-W", "error", str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def await_ready(self) -> None:
        if self.read_line() != "ready":
            raise AssertionError(self._popen.communicate(timeout=DEADLINE_SECONDS)[1])

    def read_line(self) -> str:
        assert self._popen.stdout is not None
        return self._popen.stdout.readline().removesuffix("\n")

    def begin(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write("\n")
        self._popen.stdin.flush()

    def end(self) -> list[str]:
        """Wait for its end; give the lines that were not read yet."""
        output, errors = self._popen.communicate(timeout=DEADLINE_SECONDS)
        assert self._popen.returncode == 0, errors
        return output.splitlines()

    def stop(self) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.communicate(timeout=DEADLINE_SECONDS)
