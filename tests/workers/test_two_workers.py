"""What is done on one worker counts on the other at once, and limits hold for both together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import pytest

from tests.workers.server import PASSWORD, ROOT, Caller, Person

pytestmark = pytest.mark.anyio

NEW = "another long password"
NOBODY = 401


async def log_out(one: Caller, person: Person) -> None:
    await one.done("POST", "/logout", token=person.token)


async def change_the_password(one: Caller, person: Person) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    await one.done("POST", "/change-password", body, person.token)


async def reset_the_password(one: Caller, person: Person) -> None:
    await one.done("POST", "/forgot-password", {"email": person.email})
    token = await one.mailed_token(person.email)
    await one.done("POST", "/reset-password", {"token": token, "new_password": NEW})


async def move_to_another_address(one: Caller, person: Person) -> None:
    address = f"moved-{person.email}"
    body = {"new_email": address, "current_password": PASSWORD}
    await one.done("POST", "/change-email", body, person.token)
    await one.done("POST", "/confirm-email-change", {"token": await one.mailed_token(address)})


async def delete_the_account(one: Caller, person: Person) -> None:
    await one.done("DELETE", "/account", {"current_password": PASSWORD}, person.token)


async def be_disabled(one: Caller, person: Person) -> None:
    root = await one.log_in(ROOT["email"])
    await one.done("PATCH", f"/admin/users/{person.id}", {"is_active": False}, root)


async def be_deleted(one: Caller, person: Person) -> None:
    root = await one.log_in(ROOT["email"])
    await one.done("DELETE", f"/admin/users/{person.id}", token=root)


Act = Callable[[Caller, Person], Awaitable[None]]
ENDINGS: list[tuple[Act, int]] = [
    (log_out, 200),
    (change_the_password, NOBODY),
    (reset_the_password, NOBODY),
    (move_to_another_address, NOBODY),
    (delete_the_account, NOBODY),
    (be_disabled, 403),
    (be_deleted, NOBODY),
]
"""What ends a session, and what signing in with the old address and password is answered with after it."""


@pytest.mark.parametrize(("act", "status"), ENDINGS, ids=[act.__name__ for act, _ in ENDINGS])
async def test_a_session_that_ended_on_one_worker_is_over_on_the_other(
    act: Act, status: int, one: Caller, other: Caller, person: Person
) -> None:
    elsewhere = await other.log_in(person.email)
    assert (await other.call("GET", "/me", token=person.token)).status_code == 200
    await act(one, person)
    assert (await other.call("GET", "/me", token=person.token)).status_code == NOBODY
    survives = act is log_out  # it ends this session, and not those of other devices
    for worker in (one, other):
        answer = await worker.call("GET", "/me", token=elsewhere)
        assert answer.status_code == (200 if survives else NOBODY)
    credentials = {"email": person.email, "password": PASSWORD}
    assert (await other.call("POST", "/login", credentials)).status_code == status


async def test_the_other_worker_knows_at_once_who_is_an_administrator(
    one: Caller, other: Caller, person: Person
) -> None:
    root = await one.log_in(ROOT["email"])
    for is_superuser, status in ((True, 200), (False, 403)):
        body = {"is_superuser": is_superuser}
        await one.done("PATCH", f"/admin/users/{person.id}", body, root)
        assert (await other.call("GET", "/admin/stats", token=person.token)).status_code == status


async def test_a_new_password_is_good_on_the_other_worker_and_so_is_the_fresh_token(
    one: Caller, other: Caller, person: Person
) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    fresh = (await one.done("POST", "/change-password", body, person.token))["access_token"]
    assert (await other.call("GET", "/me", token=fresh)).status_code == 200
    await other.log_in(person.email, NEW)


async def test_a_mailed_token_works_once_on_whichever_of_the_workers(
    one: Caller, other: Caller, person: Person
) -> None:
    await one.done("POST", "/forgot-password", {"email": person.email})
    body = {"token": await one.mailed_token(person.email), "new_password": NEW}
    answers = await at_once([one, other], 10, lambda worker: ("POST", "/reset-password", body, None))
    assert answers == {200: 1, 400: 9}


async def guess_at_the_login(person: Person) -> tuple[str, str, dict[str, str], str | None]:
    # Of an account that nobody has signed in to: no place is its owner's.
    return "POST", "/login", {"email": f"no-{person.email}", "password": "a wrong password"}, None


async def guess_at_the_current_password(person: Person) -> tuple[str, str, dict[str, str], str | None]:
    body = {"current_password": "a wrong password", "new_password": NEW}
    return "POST", "/change-password", body, person.token


async def ask_for_another_link(person: Person) -> tuple[str, str, dict[str, str], str | None]:
    return "POST", "/resend-verification", {"email": person.email}, None


Guess = Callable[[Person], Awaitable[tuple[str, str, dict[str, str], str | None]]]
LIMITS: list[tuple[Guess, int, int]] = [
    (guess_at_the_login, 5, 401),
    (guess_at_the_current_password, 5, 400),
    (ask_for_another_link, 5, 202),
]
"""What is limited, how often it may be tried, and what a try within the limit is answered with."""


@pytest.mark.parametrize(("guess", "limit", "status"), LIMITS, ids=[guess.__name__ for guess, *_ in LIMITS])
async def test_a_limit_holds_for_both_workers_together(
    guess: Guess, limit: int, status: int, one: Caller, other: Caller, person: Person
) -> None:
    call = await guess(person)
    answers = await at_once([one, other], 4 * limit, lambda worker: call)
    assert answers == {status: limit, 429: 3 * limit}
    for worker in (one, other):
        answer = await worker.call(*call)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0


async def at_once(
    workers: list[Caller],
    times: int,
    call: Callable[[Caller], tuple[str, str, dict[str, str], str | None]],
) -> Counter[int]:
    """Make a call many times at once, in turns on the workers; give how often which status came."""
    statuses: Counter[int] = Counter()

    async def make(worker: Caller) -> None:
        statuses[(await worker.call(*call(worker))).status_code] += 1

    async with anyio.create_task_group() as tasks:
        for number in range(times):
            tasks.start_soon(make, workers[number % len(workers)])
    return statuses
