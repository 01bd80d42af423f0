"""`regstack serve`, as a real process that answers over HTTP."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

DEADLINE_SECONDS = 180
ALICE = {"email": "alice@example.com", "password": "correct horse battery"}


class Server:
    """A `regstack serve` process, and all that it has printed."""

    def __init__(self, *arguments: str, temporary: Path) -> None:
        environ = os.environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
        command = str(Path(sys.executable).parent / "regstack")
        self.process = subprocess.Popen(
            [command, "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environ,
        )
        self.output = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def printed(self, pattern: str) -> str:
        """Wait until the pattern is printed, and give its first group."""
        end = time.monotonic() + DEADLINE_SECONDS
        while not (found := re.search(pattern, self.output)):
            line = self._lines.get(timeout=max(0.01, end - time.monotonic()))
            if line is None:
                raise AssertionError(f"it ended without printing {pattern}:\n{self.output}")
            self.output += line
        return found[1]

    def stop(self) -> int:
        """Ask it to stop, and give the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        while not self._lines.empty():
            self.output += self._lines.get() or ""
        return status


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    servers: list[Server] = []
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def start(*arguments: str) -> Server:
        servers.append(Server(*arguments, temporary=temporary))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def mailed_token(outbox: Path, server: Server) -> str:
    """The token in the one mail that was written, and that it was printed as well."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not (mails := sorted(outbox.glob("*.eml"))) and time.monotonic() < end:
        time.sleep(0.02)
    token = server.printed(r"\?token=([\w-]+)")
    assert token[:20] in mails[-1].read_text()
    return token


def test_the_demo_plays_the_main_job_and_leaves_nothing_behind(serve: Any, tmp_path: Path) -> None:
    outbox = tmp_path / "mails"
    server = serve("--demo", "--port", "0", "--outbox", str(outbox))
    base = server.printed(r"documentation +(http://127\.0\.0\.1:\d+)/docs")
    password = server.printed(r"administrator +admin@example\.com, password (\S+)")
    with httpx2.Client(base_url=base, timeout=DEADLINE_SECONDS) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/docs").status_code == 200
        assert "/api/auth/register" in client.get("/openapi.json").json()["paths"]
        assert client.get("/").headers["location"] == "/account/login"
        assert "<form" in client.get("/account/register").text

        assert client.post("/api/auth/register", json=ALICE).status_code == 201
        token = mailed_token(outbox, server)
        assert client.get("/account/verify", params={"token": token}).status_code == 200
        assert client.post("/api/auth/verify", json={"token": token}).status_code == 200
        access = client.post("/api/auth/login", json=ALICE).json()["access_token"]
        signed_in = {"Authorization": f"Bearer {access}"}
        assert client.get("/api/auth/me", headers=signed_in).json()["email"] == ALICE["email"]
        assert client.get("/api/auth/admin/stats", headers=signed_in).status_code == 403
        assert client.post("/api/auth/logout", headers=signed_in).status_code == 200
        assert client.get("/api/auth/me", headers=signed_in).status_code == 401

        admin = {"email": "admin@example.com", "password": password}
        access = client.post("/api/auth/login", json=admin).json()["access_token"]
        stats = client.get("/api/auth/admin/stats", headers={"Authorization": f"Bearer {access}"})
        assert stats.json()["total_users"] == 2
    assert list((tmp_path / "temporary").glob("regstack-demo-*"))
    assert server.stop() == 0, server.output
    assert not list((tmp_path / "temporary").glob("regstack-demo-*"))
    assert "Traceback" not in server.output
    assert "GET /account/verify HTTP" in server.output
    assert server.output.count(token) == 1
    assert server.output.count(password) == 1


def test_it_serves_the_settings_and_keeps_the_accounts(
    serve: Any, regstack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert regstack("init", "--yes", "--no-pages").exit_code == 0
    monkeypatch.setenv("REGSTACK_REQUIRE_VERIFICATION", "false")
    for path, status in (("register", 201), ("login", 200)):
        server = serve("--port", "0")
        base = server.printed(r"answers on (http://\S+)")
        with httpx2.Client(base_url=base, timeout=DEADLINE_SECONDS) as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/").headers["location"] == "/healthz"
            assert client.get("/account/register").status_code == 404
            assert client.post(f"/api/auth/{path}", json=ALICE).status_code == status
        assert server.stop() in {0, -signal.SIGTERM}
        assert "Traceback" not in server.output


def test_several_workers_serve_one_database(serve: Any, regstack: Any) -> None:
    assert regstack("init", "--yes").exit_code == 0
    Path("settings").mkdir()
    for name in ("regstack.toml", "regstack.secrets.env"):
        Path(name).rename(Path("settings", name))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = str(Path(sys.executable).parent / "regstack")
    arguments = ["-c", "settings/regstack.toml", "--secrets", "settings/regstack.secrets.env", "serve"]
    with subprocess.Popen(
        [command, *arguments, "--workers", "2", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert answers(f"http://127.0.0.1:{port}/healthz")
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert "Traceback" not in output


def answers(url: str) -> bool:
    """Whether the server answers before the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        try:
            return httpx2.get(url, timeout=DEADLINE_SECONDS).status_code == 200
        except httpx2.TransportError:
            time.sleep(0.02)
    return False


def test_a_port_that_is_taken_is_told_in_one_line(command: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = command("serve", "--demo", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "--port chooses another" in done.stderr
    assert "Traceback" not in done.stderr


def test_serving_without_a_key_is_told_in_one_line(command: Any) -> None:
    done = command("serve", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.startswith("regstack: jwt_secret is not set; run `regstack init`")


@pytest.mark.parametrize("arguments", [("--demo", "--workers", "2"), ("--outbox", "x")])
def test_options_that_do_not_go_together_are_refused(command: Any, arguments: tuple[str, ...]) -> None:
    done = command("serve", *arguments)
    assert done.returncode == 1
    assert "--demo" in done.stderr


def test_serving_without_uvicorn_says_what_to_install(regstack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = regstack("serve", "--demo")
    assert done.exit_code == 1
    assert 'pip install "regstack[serve]>=1' in done.output
