"""Indexes: installed, compared and repaired; what belongs to others is left alone."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from regstack.auth.clock import SystemClock
from regstack.backends.base import Capability
from regstack.errors import BackendError, UserAlreadyExistsError
from regstack.testing.builders import Builder
from regstack_mongo.backend import MongoBackend

from .conftest import every_text

pytestmark = pytest.mark.anyio

INSTALL = """
import asyncio, sys
from regstack import RegStackConfig
from regstack.auth.clock import FrozenClock
from regstack_mongo.backend import MongoBackend

async def install():
    backend = MongoBackend(config=RegStackConfig(database_url=sys.argv[1]), clock=FrozenClock())
    print("ready", flush=True)
    sys.stdin.readline()
    report = await backend.install_schema()
    await backend.aclose()
    print(report.revision, len(report.changes))

asyncio.run(install())
"""


def definitions(raw: Any) -> dict[str, Any]:
    return {
        name: raw[name].index_information()
        for name in sorted(raw.list_collection_names())
        if not name.startswith("system.")
    }


async def test_every_kind_of_drift_is_told_and_repaired(backend: MongoBackend, raw: Any) -> None:
    installed = definitions(raw)
    users, pending = raw["regstack_users"], raw["regstack_pending"]
    users.drop_index("regstack_email_key")
    users.create_index("email_key", name="regstack_email_key")
    users.drop_index("regstack_identity")
    users.create_index("hashed_password", name="regstack_of_an_older_version")
    pending.drop_index("regstack_expires_at")
    pending.create_index("expires_at", name="regstack_expires_at", expireAfterSeconds=1)
    raw["regstack_attempts"].drop()
    told = await backend.pending_changes()
    assert set(told) == {
        "rebuild the index regstack_email_key of users",
        "make the index regstack_identity of users",
        "drop the index regstack_of_an_older_version of users",
        "rebuild the index regstack_expires_at of pending",
        "make the index regstack_expires_at of attempts",
    }
    report = await backend.install_schema()
    assert report.changes == told
    assert definitions(raw) == installed
    assert await backend.pending_changes() == ()


async def test_the_hosts_own_indexes_stay(backend: MongoBackend, raw: Any) -> None:
    raw["regstack_users"].create_index("phone_number", name="of_the_host")
    assert (await backend.install_schema()).changes == ()
    assert "of_the_host" in raw["regstack_users"].index_information()


async def test_duplicates_that_are_there_already_are_told_and_not_shown(
    backend: MongoBackend, raw: Any, make: Builder
) -> None:
    users = raw["regstack_users"]
    users.drop_index("regstack_email_key")
    for number in range(2):
        users.insert_one({"_id": str(number), "email_key": "s3cret@example.com"})
    with pytest.raises(BackendError, match="regstack_email_key of regstack_users cannot be made") as raised:
        await backend.install_schema()
    assert isinstance(raised.value.__cause__, DuplicateKeyError)
    assert "s3cret" not in every_text(raised.value)
    users.delete_one({"_id": "1"})
    await backend.install_schema()
    assert await backend.pending_changes() == ()


async def test_an_index_that_is_in_the_way_is_told(backend: MongoBackend, raw: Any) -> None:
    raw["regstack_users"].drop_index("regstack_name_key")
    raw["regstack_users"].create_index("name_key", name="of_the_host")
    with pytest.raises(BackendError, match="in the way; drop it"):
        await backend.install_schema()


async def test_a_newer_schema_is_left_alone_and_works(backend: MongoBackend, raw: Any, make: Builder) -> None:
    raw["regstack_schema"].update_one({"_id": "schema"}, {"$set": {"version": 7}})
    raw["regstack_users"].drop_index("regstack_name_key")
    raw["regstack_users"].create_index("newer", name="regstack_newer")
    before = definitions(raw)
    report = await backend.install_schema()
    assert (report.revision, report.changes) == ("7", ())
    assert await backend.pending_changes() == ()
    assert definitions(raw) == before
    user = await backend.users.create(make.user())
    assert await backend.users.get_by_id(user.id) == user


async def test_only_with_the_system_clock_does_the_server_remove_what_expired(
    open_backend: Any, url: str, raw: Any
) -> None:
    real, frozen = open_backend(url, at=SystemClock()), open_backend(url)
    assert Capability.NATIVE_EXPIRY in real.capabilities
    assert Capability.NATIVE_EXPIRY not in frozen.capabilities

    def lives() -> dict[tuple[str, str], Any]:
        return {
            (name, index): options["expireAfterSeconds"]
            for name, indexes in definitions(raw).items()
            for index, options in indexes.items()
            if "expireAfterSeconds" in options
        }

    await real.install_schema()
    expiring = ("attempts", "blacklist", "oauth_states", "pending")
    assert lives() == {(f"regstack_{name}", "regstack_expires_at"): 86400 for name in expiring}
    await frozen.install_schema()
    assert lives() == {}


async def test_processes_that_install_at_once_all_succeed(url: str, raw: Any, open_backend: Any) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", INSTALL, url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * 4
    told = [output.decode().split() for output, _ in outputs]
    assert {revision for revision, _ in told} == {"1"}
    assert any(int(changes) > 0 for _, changes in told)
    assert await open_backend(url).pending_changes() == ()


async def test_dropping_removes_our_collections_and_nothing_else(backend: MongoBackend, raw: Any) -> None:
    raw["of_the_host"].insert_one({})
    for _ in range(2):
        await backend.drop_schema()
        assert raw.list_collection_names() == ["of_the_host"]
    assert await backend.pending_changes() != ()


async def test_a_database_where_it_was_never_installed_is_refused(
    open_backend: Any, url: str, make: Builder
) -> None:
    backend = open_backend(url)
    for attempt in (backend.users.create(make.user()), backend.users.count()):
        with pytest.raises(BackendError, match="regstack migrate"):
            await attempt
    assert (await backend.ping()).server_version
    await backend.install_schema()
    await backend.users.create(make.user())


async def test_a_unique_index_is_never_dropped_while_applications_write(
    backend: MongoBackend, raw: Any, make: Builder
) -> None:
    raw.command({"collMod": "regstack_users", "index": {"name": "regstack_email_key", "hidden": True}})
    assert (await backend.install_schema()).changes == ("show the index regstack_email_key of users",)
    assert (await backend.install_schema()).changes == ()
    raw["regstack_users"].drop_index("regstack_email_key")
    raw["regstack_users"].create_index("email_key", name="regstack_email_key", unique=True, sparse=True)
    user = await backend.users.create(make.user())
    with pytest.raises(BackendError, match="stop the applications"):
        await backend.install_schema()
    with pytest.raises(UserAlreadyExistsError):
        await backend.users.create(make.user(email_key=user.email_key))
