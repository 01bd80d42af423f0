"""There is always an active superuser once there was one (USR-04)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from regstack.errors import LastSuperuserError
from regstack.testing.contest import Call, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.backends.base import Backend
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Contest
    from regstack.testing.expectation import Expectation

pytestmark = pytest.mark.anyio
clause = pytest.mark.clause

REMOVALS: dict[str, Callable[[str], Call]] = {
    "demote": lambda key: call("users.set_flags", key, is_superuser=False),
    "deactivate": lambda key: call("users.set_flags", key, is_active=False),
    "demote and activate": lambda key: call("users.set_flags", key, is_superuser=False, is_active=True),
    "deactivate and promote": lambda key: call("users.set_flags", key, is_superuser=True, is_active=False),
    "delete": lambda key: call("users.delete", key),
}


@clause("USR-04", "users.delete")
@pytest.mark.parametrize("removal", REMOVALS.values(), ids=REMOVALS.keys())
async def test_the_last_active_superuser_cannot_be_taken_away(
    removal: Callable[[str], Call], backend: Backend, make: Builder, expect: Expectation
) -> None:
    await backend.users.create(make.user())
    await backend.users.create(make.user(is_superuser=True, is_active=False))
    last = await backend.users.create(make.user(is_superuser=True))
    outcome = await removal(last.id).make(backend)
    expect(
        outcome.error,
        LastSuperuserError,
        did="took away the last active superuser, an inactive one and a plain account being there",
        cause="inactive superusers are counted, or only some of the ways are guarded",
    )
    expect(await backend.users.get_by_id(last.id), last, did="read it afterwards")


@clause("USR-04")
@pytest.mark.parametrize("removal", REMOVALS.values(), ids=REMOVALS.keys())
async def test_a_superuser_can_be_taken_away_while_another_is_active(
    removal: Callable[[str], Call], backend: Backend, make: Builder, expect: Expectation
) -> None:
    one = await backend.users.create(make.user(is_superuser=True))
    other = await backend.users.create(make.user(is_superuser=True))
    outcome = await removal(one.id).make(backend)
    expect(outcome.error, None, did="took away one of two active superusers")
    expect(await backend.users.count(is_superuser=True, is_active=True), 1, did="counted those left")
    outcome = await removal(other.id).make(backend)
    expect(outcome.error, LastSuperuserError, did="took away the other one too")


@clause("USR-04")
async def test_accounts_that_are_no_active_superuser_are_not_guarded(
    backend: Backend, make: Builder, expect: Expectation
) -> None:
    fields: list[dict[str, Any]] = [
        {},
        {"is_active": False},
        {"is_superuser": True, "is_active": False},
    ]
    for number, removal in enumerate(REMOVALS.values()):
        for each in fields:
            user = await backend.users.create(make.user(**each))
            outcome = await removal(user.id).make(backend)
            expect(
                outcome.error,
                None,
                did=f"removal {number} of an account with {each}, no superuser being there",
                cause="the guard counts superusers without asking whether this account is one",
            )


@clause("USR-04", "COM-08")
async def test_two_administrators_who_remove_each_other_at_once_leave_one(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    removals = list(REMOVALS.values())
    for _ in range(contest.rounds * 2):
        pair = [await backend.users.create(make.user(is_superuser=True)) for _ in range(2)]
        for other in await backend.users.list_page(limit=100, is_superuser=True, is_active=True):
            if other.id not in {user.id for user in pair}:
                await backend.users.set_flags(other.id, is_superuser=False)
        await contest.run(
            [removals[number % len(removals)](pair[number % 2].id) for number in range(contest.size)]
        )
        left = await backend.users.count(is_superuser=True, is_active=True)
        # A call that promotes and deactivates at once never makes an active superuser.
        expect(
            left,
            1,
            did="two administrators demoted, deactivated and deleted each other many times at once",
            cause="the others are counted without a lock that a second administrator would need too",
        )


@clause("USR-04", "COM-08")
async def test_of_many_administrators_who_all_step_down_at_once_one_stays(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    users = [await backend.users.create(make.user(is_superuser=True)) for _ in range(contest.size)]
    outcomes = await contest.run([call("users.delete", user.id) for user in users])
    expect(
        outcomes.tally(),
        {"True": contest.size - 1, "LastSuperuserError": 1},
        did=f"{contest.size} administrators deleted their accounts at once",
        cause="the others are counted without a lock that a second administrator would need too",
    )
    left = await backend.users.list_page(limit=5)
    expect([user.is_superuser for user in left], [True], did="listed the accounts that are left")


@clause("USR-04", "COM-08")
async def test_an_appointment_at_the_same_time_does_not_open_a_gap(
    contest: Contest, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(contest.rounds):
        pair = [await backend.users.create(make.user(is_superuser=True)) for _ in range(2)]
        calls = []
        for number in range(contest.size // 2):
            calls.append(call("users.set_flags", pair[number % 2].id, is_superuser=True))
            calls.append(call("users.set_flags", pair[number % 2].id, is_superuser=False))
        await contest.run(calls)
        left = await backend.users.count(is_superuser=True, is_active=True)
        expect(left >= 1, True, did="appointed and demoted two administrators many times at once")
