"""The transport of docs/write-a-transport.md works as it stands there."""

from __future__ import annotations

import asyncio
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.servers.http_stand_in import Answer, standing_in

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "write-a-transport.md"
SEND = """
import asyncio
from regstack import RegStack, RegStackConfig
from regstack.errors import DeliveryError
from regstack.sms.service import SmsMessage

async def main():
    config = RegStackConfig.load(database_url="memory://", jwt_secret="x" * 32)
    async with RegStack(config) as rs:
        for _ in range(4):
            try:
                await rs.sms.send(SmsMessage("+4930123456", "your code is 987654"))
            except DeliveryError as error:
                print(error, error.permanent)
            else:
                print("sent by", type(rs.sms).__module__)

asyncio.run(main())
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def install(distributions: Any) -> None:
    """Lay out the files of the page, with the metadata that an installer makes of its pyproject.toml."""
    for block in blocks("py"):
        name = block.partition("\n")[0].removeprefix("# ")
        (distributions.folder / name).parent.mkdir(exist_ok=True)
        (distributions.folder / name).write_text(block)
    project = tomllib.loads(blocks("toml")[0])["project"]
    metadata = distributions.folder / f"regstack_pigeon-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    ((group, points),) = project["entry-points"].items()
    lines = [f"{name} = {value}" for name, value in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")


def test_it_is_listed_without_its_library_being_imported(distributions: Any) -> None:
    install(distributions)
    record = distributions.transports()["regstack-pigeon"]
    assert (record["state"], record["kind"], record["name"]) == ("ok", "sms", "pigeon"), record["reason"]


async def test_it_carries_text_messages(distributions: Any) -> None:
    install(distributions)
    async with standing_in() as server:
        server.answers += [Answer(200), Answer(429), Answer(400), Answer(302, b"", {"Location": server.url})]
        (distributions.folder / "regstack.toml").write_text(
            blocks("toml")[1].replace("https://pigeon.example/messages", f"{server.url}/messages")
        )
        told = await asyncio.to_thread(distributions.script, SEND, REGSTACK_SMS__OPTIONS__KEY="s3cret")
    assert told.splitlines() == [
        "sent by regstack_pigeon.service",
        "Pigeon answered 429 False",
        "Pigeon answered 400 True",
        "Pigeon answered 302 True",
    ]
    assert len(server.asked) == 4
    assert server.asked[0].headers["authorization"] == "Bearer s3cret"
    assert server.asked[0].json == {"to": "+4930123456", "text": "your code is 987654"}


def test_a_setting_that_it_needs_is_named(distributions: Any) -> None:
    install(distributions)
    done = distributions.run("-c", SEND, REGSTACK_SMS__BACKEND="pigeon", REGSTACK_SMS__OPTIONS__URL="x")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'regstack.errors.ConfigurationError: sms.backend = "pigeon" needs sms.options.key'
    )
