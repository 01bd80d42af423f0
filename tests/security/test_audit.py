"""Each security-relevant act leaves one record: who, what, from where, with what result."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from regstack.services.audit import ACTIONS, LOGGER

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["memory"], indirect=True)]

ALICE = {"email": "alice@example.com", "password": "correct horse battery"}
HOME = "198.51.100.1"


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Any:
    """The records so far, oldest first, as their fields."""
    caplog.set_level(logging.INFO, LOGGER)

    def read(*actions: str) -> list[dict[str, Any]]:
        found = [record.audit for record in caplog.records if record.name == LOGGER]
        return [each for each in found if not actions or each["action"] in actions]

    return read


async def test_a_sign_in_and_its_failures_are_told_apart(world: Any, records: Any) -> None:
    user = await world.account()
    home = world.at(HOME)
    await home.post("/login", ALICE | {"password": "not my password"})
    await home.post("/login", ALICE | {"email": "nobody@example.com"})
    await home.log_in()
    await world.rs.users.set_flags(user["id"], is_active=False)
    await home.post("/login", ALICE)
    wrong, unknown, right, disabled = records("login")
    assert (wrong["outcome"], wrong["reason"], wrong["user"]) == ("failure", "credentials", user["id"])
    assert (unknown["outcome"], unknown["reason"]) == ("failure", "credentials")
    assert "user" not in unknown
    assert right == {
        "action": "login",
        "outcome": "success",
        "user": user["id"],
        "account": wrong["account"],
        "address": HOME,
    }
    assert (disabled["outcome"], disabled["reason"]) == ("failure", "disabled")
    assert unknown["account"] != wrong["account"]


async def test_what_administrators_do_names_them_and_whom_they_did_it_to(
    make_world: Any, records: Any
) -> None:
    world = await make_world(enable_admin_router=True)
    user = await world.account()
    admin = await world.rs.bootstrap_admin("root@example.com", "a long root password")
    token = await world.log_in("root@example.com", "a long root password")
    await world.call("PATCH", f"/admin/users/{user['id']}", {"is_active": False, "full_name": "A"}, token)
    await world.call("DELETE", f"/admin/users/{user['id']}", token=token)
    updated, deleted = records("admin_update", "admin_delete")
    assert (updated["actor"], updated["user"], updated["changed"]) == (
        admin.id,
        user["id"],
        "disabled,renamed",
    )
    assert (deleted["actor"], deleted["user"]) == (admin.id, user["id"])


async def test_somebody_else_at_an_administration_route_is_recorded(make_world: Any, records: Any) -> None:
    world = await make_world(enable_admin_router=True)
    user = await world.account()
    await world.call("GET", "/admin/stats", token=await world.log_in())
    assert [(each["outcome"], each["user"]) for each in records("administrators_only")] == [
        ("refused", user["id"])
    ]


async def test_lockout_and_limits_are_recorded_when_they_refuse(make_world: Any, records: Any) -> None:
    world = await make_world(login_lockout_threshold=1, verify_rate_limit="1/minute")
    for _ in range(2):
        await world.post("/login", ALICE)
        await world.post("/verify", {"token": "unknown"})
    assert [each["purpose"] for each in records("lockout")] == ["login"]
    assert [each["limit"] for each in records("rate_limit")] == ["verify_rate_limit"]


async def test_the_life_of_an_account_can_be_followed(world: Any, records: Any) -> None:
    await world.account()
    token = await world.log_in()
    change = {"current_password": ALICE["password"], "new_password": "another long password"}
    await world.post("/change-password", change | {"current_password": "not my password"}, token)
    token = (await world.post("/change-password", change, token)).json()["access_token"]
    body = {"new_email": "alice@new.example.com", "current_password": "another long password"}
    await world.post("/change-email", body, token)
    link = await world.mailed_token("alice@new.example.com")
    await world.post("/confirm-email-change", {"token": link})
    await world.post("/forgot-password", {"email": "alice@new.example.com"})
    body = {"token": await world.mailed_token("alice@new.example.com"), "new_password": "a third password"}
    await world.post("/reset-password", body)
    token = await world.log_in("alice@new.example.com", "a third password")
    await world.post("/logout", token=token)
    token = await world.log_in("alice@new.example.com", "a third password")
    await world.call("DELETE", "/account", {"current_password": "a third password"}, token)
    assert [(each["action"], each["outcome"]) for each in records()] == [
        ("registration", "success"),
        ("verification", "success"),
        ("login", "success"),
        ("reauthentication", "failure"),
        ("password_change", "success"),
        ("email_change_request", "success"),
        ("email_change", "success"),
        ("password_reset_request", "success"),
        ("password_reset", "success"),
        ("login", "success"),
        ("logout", "success"),
        ("login", "success"),
        ("account_delete", "success"),
    ]


async def test_no_record_holds_an_address_or_what_somebody_typed(
    world: Any, records: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await world.account()
    await world.post("/login", {"email": "x\r\nlogin success@evil.example", "password": "forged\nline"})
    await world.post("/login", ALICE | {"password": "my secret guess"})
    lines = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert lines
    for line in lines:
        assert "\n" not in line
        assert not re.search(r"@|forged|secret|evil|alice", line)


async def test_an_address_is_one_fingerprint_and_another_key_gives_another(
    make_world: Any, records: Any
) -> None:
    first = await make_world()
    second = await make_world(jwt_secret="another root secret, which makes other fingerprints")
    for world in (first, first, second):
        await world.post("/login", ALICE)
    one, same, other = (each["account"] for each in records("login"))
    assert one == same != other
    assert re.fullmatch(r"[0-9a-f]{16}", one)


async def test_only_acts_that_are_described_can_be_recorded(world: Any) -> None:
    with pytest.raises(KeyError):
        world.rs._audit.record("something_else")
    assert all(ACTIONS.values())
