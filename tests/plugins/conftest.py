"""Sample distributions: real packages with metadata, on a path of their own, seen by a new process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PLUGIN = """
from regstack import hookimpl
from regstack.backends.base import Backend, BackendInfo, Capability, PingReport, SchemaReport
from datetime import timedelta


@hookimpl
def regstack_backend_info():
    return BackendInfo(
        name={name!r},
        url_schemes={schemes!r},
        api_version={api_version},
        capabilities=frozenset({{Capability.OAUTH}}),
        summary="a sample",
        driver="none",
    )


@hookimpl
def regstack_create_backend(config, clock):
    return Sample(config=config, clock=clock)


class Sample(Backend):
    kind = {name!r}

    async def install_schema(self):
        return SchemaReport(revision="the backend's own")

    async def pending_changes(self):
        return ()

    async def drop_schema(self):
        pass

    async def ping(self):
        return PingReport(round_trip=timedelta(0), server_version="the backend's own")

    async def aclose(self):
        pass
"""

TRANSPORT = """
from regstack import hookimpl
from regstack.transports.info import TransportInfo, TransportKind


@hookimpl
def regstack_transport_info():
    return TransportInfo(
        name={name!r},
        kind=TransportKind({kind!r}),
        api_version={api_version},
        summary="a sample",
        library="pigeon",
    )


@hookimpl
def regstack_create_{kind}_service(config):
    return Sample(config)


class Sample:
    def __init__(self, config):
        self.config = config

    async def send(self, message):
        pass
"""


@dataclass
class Distributions:
    """A folder of installed distributions, and processes that see them beside the real ones."""

    folder: Path

    def install(
        self,
        distribution: str,
        source: str,
        *,
        entry_point: str | None = None,
        version: str = "1.2.3",
        group: str = "regstack.backends",
    ) -> None:
        """Install a distribution with one module and one entry point, as an installer lays it out."""
        module = distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(source)
        metadata = self.folder / f"{module}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (metadata / "INSTALLER").write_text("tests\n")
        name = entry_point or distribution.removeprefix("acme-")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")

    def install_plugin(
        self,
        distribution: str,
        *,
        name: str = "",
        schemes: tuple[str, ...] = (),
        api_version: int = 1,
        more: str = "",
        entry_point: str | None = None,
    ) -> None:
        """Install a plugin that works, with what else its module is to hold."""
        name = name or distribution.removeprefix("acme-")
        source = PLUGIN.format(name=name, schemes=schemes or (name,), api_version=api_version) + more
        self.install(distribution, source, entry_point=entry_point)

    def install_transport(
        self,
        distribution: str,
        *,
        name: str = "",
        kind: str = "email",
        api_version: int = 1,
        more: str = "",
        entry_point: str | None = None,
    ) -> None:
        """Install a transport that works, with what else its module is to hold."""
        name = name or distribution.removeprefix("acme-")
        source = TRANSPORT.format(name=name, kind=kind, api_version=api_version) + more
        self.install(distribution, source, entry_point=entry_point, group="regstack.transports")

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments, where the distributions are installed."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REGSTACK_")}
        return subprocess.run(
            [sys.executable, *arguments],
            env=clean | {"PYTHONPATH": str(self.folder)} | environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def script(self, source: str, **environ: str) -> str:
        """Run a script that must succeed, and give what it prints."""
        done = self.run("-c", source, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def records(self, **environ: str) -> dict[str, dict[str, Any]]:
        """What `regstack doctor --list-backends --json` tells, by distribution."""
        done = self.run("-m", "regstack.cli", "doctor", "--list-backends", "--json", **environ)
        assert done.returncode == 0, done.stderr
        return {record["distribution"]: record for record in json.loads(done.stdout)["backends"]}

    def transports(self, **environ: str) -> dict[str, dict[str, Any]]:
        """What `regstack doctor --list-transports --json` tells, by distribution or, of ours, by name."""
        done = self.run("-m", "regstack.cli", "doctor", "--list-transports", "--json", **environ)
        assert done.returncode == 0, done.stderr
        return {
            record["name"] if record["distribution"] == "regstack" else record["distribution"]: record
            for record in json.loads(done.stdout)["transports"]
        }


@pytest.fixture
def distributions(tmp_path: Path) -> Distributions:
    """An environment of its own for one test."""
    return Distributions(tmp_path)
