"""A confirmation that breaks off can be repeated, and nobody profits from the break (USR-07)."""

from __future__ import annotations

from typing import Any

import pytest

from regstack.errors import BackendUnavailable, UserAlreadyExistsError
from regstack.testing.builders import Builder
from regstack_mongo.backend import MongoBackend

from .conftest import failing

pytestmark = pytest.mark.anyio


@pytest.fixture
async def broken_off(
    request: pytest.FixtureRequest, open_backend: Any, standalone_url: str, make: Builder
) -> tuple[MongoBackend, Any]:
    """A registration whose confirmation broke off at a step, on a server that repeats nothing."""
    command, skip = request.param
    backend = open_backend(standalone_url)
    await backend.install_schema()
    pending = make.pending()
    await backend.pending.put(pending)
    with (
        failing(standalone_url, [command], mode={"skip": skip}, closeConnection=True),
        pytest.raises(BackendUnavailable) as raised,
    ):
        await backend.users.create_from_pending(pending.token_hash, make.clock.now())
    assert raised.value.outcome_unknown
    return backend, pending


STEPS = {
    "before the claim": ("findAndModify", 0),
    "after the claim": ("findAndModify", 1),
    "before the account": ("insert", 0),
    "after the account": ("delete", 0),
}
at_each_step = pytest.mark.parametrize("broken_off", STEPS.values(), ids=STEPS.keys(), indirect=True)


@at_each_step
async def test_a_repeat_comes_to_the_same_end(broken_off: Any, make: Builder) -> None:
    backend, pending = broken_off
    user = await backend.users.create_from_pending(pending.token_hash, make.clock.now())
    assert user is not None
    assert (user.id, user.is_verified, user.hashed_password) == (
        pending.user_id,
        True,
        pending.hashed_password,
    )
    assert await backend.users.get_by_email(pending.email_key) == user
    assert await backend.users.create_from_pending(pending.token_hash, make.clock.now()) is None
    assert await backend.pending.find_by_token_hash(pending.token_hash) is None


@at_each_step
async def test_a_newer_registration_is_not_used_up_by_the_older_token(broken_off: Any, make: Builder) -> None:
    backend, older = broken_off
    newer = make.pending(email_key=older.email_key)
    await backend.pending.put(newer)
    assert await backend.users.create_from_pending(older.token_hash, make.clock.now()) is None
    assert await backend.pending.find_by_token_hash(newer.token_hash) == newer
    made = await backend.users.get_by_id(older.user_id)
    if made is None:
        user = await backend.users.create_from_pending(newer.token_hash, make.clock.now())
        assert user is not None
        assert user.id == newer.user_id
    else:
        with pytest.raises(UserAlreadyExistsError):
            await backend.users.create_from_pending(newer.token_hash, make.clock.now())


async def test_a_break_at_the_very_end_leaves_the_account_and_a_dead_token(
    open_backend: Any, standalone_url: str, make: Builder
) -> None:
    backend = open_backend(standalone_url)
    await backend.install_schema()
    pending = make.pending()
    await backend.pending.put(pending)
    with (
        failing(standalone_url, ["update"], closeConnection=True),
        pytest.raises(BackendUnavailable),
    ):
        await backend.users.create_from_pending(pending.token_hash, make.clock.now())
    assert await backend.users.create_from_pending(pending.token_hash, make.clock.now()) is None
    assert (await backend.users.get_by_email(pending.email_key)) is not None
    assert await backend.users.delete(pending.user_id)
    assert await backend.users.create_from_pending(pending.token_hash, make.clock.now()) is None


async def test_a_claimed_registration_is_out_of_reach_of_everything_else(
    backend: MongoBackend, raw: Any, make: Builder
) -> None:
    pending, now = make.pending(), make.clock.now()
    await backend.pending.put(pending)
    raw["regstack_pending"].update_one({}, {"$set": {"claimed": True}})
    token, expiry = pending.token_hash, pending.expires_at
    assert await backend.pending.consume(token, now) is None
    assert not await backend.pending.rotate(token, token_hash=make.hash(), expires_at=expiry, now=now)
    assert await backend.pending.find_by_email(pending.email_key) is None
    assert await backend.pending.find_by_token_hash(token) is None
    assert await backend.pending.count_unexpired() == 0
    assert (await backend.users.find_login_subject(pending.email_key)).pending is None
    assert not await backend.pending.delete_by_email(pending.email_key)


async def test_a_deletion_leaves_no_row_that_could_make_the_account_again(
    open_backend: Any, standalone_url: str, make: Builder
) -> None:
    backend = open_backend(standalone_url)
    await backend.install_schema()
    pending = make.pending()
    await backend.pending.put(pending)
    with (
        failing(standalone_url, ["delete"], closeConnection=True),
        pytest.raises(BackendUnavailable),
    ):
        await backend.users.create_from_pending(pending.token_hash, make.clock.now())
    assert await backend.users.get_by_id(pending.user_id) is not None
    # The deletion breaks off as soon as the account is gone.
    with (
        failing(standalone_url, ["delete"], mode={"skip": 1}, closeConnection=True),
        pytest.raises(BackendUnavailable),
    ):
        await backend.users.delete(pending.user_id)
    assert await backend.users.get_by_id(pending.user_id) is None
    assert await backend.users.create_from_pending(pending.token_hash, make.clock.now()) is None
    assert await backend.users.get_by_id(pending.user_id) is None


@pytest.mark.parametrize("code", [10107, 13435, 18])
async def test_a_later_command_that_was_refused_does_not_hide_what_was_done_before(
    code: int, open_backend: Any, standalone_url: str, make: Builder
) -> None:
    # The driver asks who the primary is; nothing has changed, so the server lets it wait for its usual time.
    backend = open_backend(f"{standalone_url}&heartbeatFrequencyMS=500")
    await backend.install_schema()
    user = await backend.users.create(make.user())
    with (
        failing(standalone_url, ["delete"], mode={"skip": 1}, errorCode=code),  # behind that of claimed rows
        pytest.raises(BackendUnavailable) as raised,
    ):
        await backend.users.delete(user.id)
    assert await backend.users.get_by_id(user.id) is None
    assert raised.value.outcome_unknown
