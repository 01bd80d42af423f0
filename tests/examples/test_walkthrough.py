"""The demo server starts with nothing prepared, and the walkthrough passes against it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

WALKTHROUGH = Path(__file__).parents[2] / "examples" / "walkthrough.py"
DEMO = Path(__file__).parents[2] / "tools" / "demo.py"
START_SECONDS = 120


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def demo_url(tmp_path: Path, outbox: Path) -> Iterator[str]:
    """The address of a demo server in a process of its own."""
    command = [
        sys.executable,
        DEMO,
        "--port",
        "0",
        "--outbox",
        str(outbox),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGSTACK_")}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdout is not None
        told: list[str] = []
        alarm = threading.Timer(START_SECONDS, server.kill)
        alarm.start()
        found = None
        for line in server.stdout:
            told.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        alarm.cancel()
        # The server must not wait for somebody to read what it prints.
        reader = threading.Thread(target=lambda: told.extend(server.stdout or ()), daemon=True)
        reader.start()
        try:
            assert found is not None, "".join(told)
            yield found[0]
        finally:
            server.terminate()
            server.wait(START_SECONDS)
            reader.join(START_SECONDS)


def test_the_whole_main_job_is_played_over_http(demo_url: str, outbox: Path) -> None:
    run = subprocess.run(
        [sys.executable, WALKTHROUGH, "--url", demo_url, "--outbox", outbox],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    steps = re.findall(r"^ *\d+\. (.+)$", run.stdout, re.MULTILINE)
    assert steps[0] == "Register"
    assert "Sign in: the password is half of it" in steps
    assert steps[-1] == "Nobody is there any more"
    assert {"The right one", "Exchange it for an access token", "The last one stays"} <= set(steps)
    assert run.stdout.endswith("Everything answered as it should.\n")


def test_without_a_server_the_walkthrough_says_so_and_fails(outbox: Path) -> None:
    run = subprocess.run(
        [sys.executable, WALKTHROUGH, "--url", "http://127.0.0.1:9", "--outbox", outbox],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert "refused" in run.stderr
    assert "Traceback" not in run.stderr
