"""The listings of `regstack doctor` are cheap, and import neither a driver nor a transport's library."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HEAVY = {
    "aiosmtplib", "aiosqlite", "alembic", "asyncpg", "beanie", "boto3", "botocore", "fastapi", "httpx2",
    "jinja2", "phonenumbers", "pwdlib", "pydantic", "pydantic_core", "pydantic_settings", "pymongo", "rich",
    "sqlalchemy", "sqlite3", "starlette", "typer", "uvicorn",
}  # fmt: skip
GENEROUS_CPU_SECONDS = 2.0

RUN_AND_TELL = """
import json, sys
from regstack.cli.main import run
sys.argv = ["regstack", "doctor", *sys.argv[1:]]
run()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize("listing", ["--list-backends", "--list-transports"])
def test_a_listing_imports_no_driver_no_library_of_a_transport_no_pydantic_and_no_web_framework(
    distributions: Any, listing: str, more: list[str]
) -> None:
    distributions.install_plugin("acme-one")
    if listing == "--list-transports":
        distributions.install_transport("acme-one-post")
    done = distributions.run("-c", RUN_AND_TELL, listing, *more)
    assert done.returncode == 0, done.stderr
    assert "acme-one" in done.stdout
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "regstack" in loaded
    assert not loaded & HEAVY


def test_listing_the_backends_works_through_typer_too(distributions: Any) -> None:
    distributions.install_plugin("acme-one")
    done = distributions.run("-m", "regstack.cli", "doctor", "--json", "--list-backends")
    assert "acme-one" in {record["distribution"] for record in json.loads(done.stdout)["backends"]}


def test_listing_the_transports_works_through_typer_too(distributions: Any) -> None:
    distributions.install_transport("acme-one")
    done = distributions.run("-m", "regstack.cli", "doctor", "--json", "--list-transports")
    assert "acme-one" in {record["distribution"] for record in json.loads(done.stdout)["transports"]}


def test_listing_the_backends_costs_little_cpu(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "regstack"), "doctor", "--list-backends"]
    measured = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=tmp_path, env=os.environ, check=True, capture_output=True, timeout=180)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"regstack doctor --list-backends: {min(measured) * 1000:.0f} ms of CPU")
    assert min(measured) < GENEROUS_CPU_SECONDS
