"""All servers of a run, up at once: regstack on each backend, the floor, and peers that are installed."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from benchmarks.server import PEOPLE, ROOT, Application
from regstack.auth.passwords import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SECRET = "a root secret that only the benchmarks know " * 2
PEERS = {"fastapi-users": ("SQLite", "PostgreSQL", "MongoDB"), "crudauth": ("SQLite", "PostgreSQL")}
"""Backends that each peer has."""

HASHING_THREADS = 2
"""The default of `password_hash_threads`."""

CACHE_MILLISECONDS = 60_000
"""How long the token cache remembers, where it is on."""


@dataclass
class Running:
    """The servers.

    Attributes:
        floor: decodes a token, and does nothing else.
        hashing: checks passwords, and does nothing else.
        ours: regstack by backend.
        remembering: the same over the same databases, with its token cache on.
        peers: by name, such as `crudauth 0.8.2 on SQLite`.
    """

    floor: Application
    hashing: Application
    ours: Mapping[str, Application]
    remembering: Mapping[str, Application]
    peers: Mapping[str, Application] = field(default_factory=dict)

    @classmethod
    def on(cls, new_url: Mapping[str, Callable[[], str]]) -> Self:
        """Make them.

        Args:
            new_url: makes an empty database, by backend.
        """
        urls = {backend: make() for backend, make in new_url.items()}
        cache = {"token_cache_milliseconds": CACHE_MILLISECONDS}
        return cls(
            Application("token_only", {"secret": SECRET}),
            Application("argon2_only", {**asdict(PRESETS["owasp"]), "threads": HASHING_THREADS}, people=0),
            {backend: regstack(url) for backend, url in urls.items()},
            {backend: regstack(url, people=0, **cache) for backend, url in urls.items()},
            {
                f"{peer} {version} on {backend}": Application(
                    f"{peer.replace('-', '_')}_on",
                    {"secret": SECRET, "database_url": new_url[backend]()},
                    python=python,
                )
                for peer, backends in PEERS.items()
                if (python := ROOT / "build" / "peers" / peer / "bin" / "python").exists()
                for version in [version_of(peer, python)]
                for backend in backends
            },
        )

    @property
    def all(self) -> list[Application]:
        """Every server."""
        return [
            self.floor,
            self.hashing,
            *self.ours.values(),
            *self.remembering.values(),
            *self.peers.values(),
        ]

    def __enter__(self) -> Self:
        try:
            with ThreadPoolExecutor(2) as threads:
                list(threads.map(Application.start, self.all))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.all:
            server.close()


def regstack(database_url: str, *, people: int = PEOPLE, **settings: Any) -> Application:
    """Make a server of regstack with its defaults, and the settings given.

    Args:
        database_url: of an empty database, unless nobody is to be made in it.
        people: how many accounts to make.
        **settings: in place of the defaults.
    """
    given = {"database_url": database_url, "jwt_secret": SECRET, **settings}
    return Application("regstack_on", given, people=people)


def version_of(package: str, python: Path) -> str:
    """Give the version of a package in another environment."""
    code = f"import importlib.metadata, json; print(json.dumps(importlib.metadata.version({package!r})))"
    return str(json.loads(subprocess.check_output([python, "-c", code])))
