"""Broken connections, servers that are gone, tasks that are cancelled (COM-04, 09, 10, 12)."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from regstack.errors import BackendTimeout, BackendUnavailable, RegStackError
from regstack.testing.builders import HOUR
from regstack.testing.cancellation import cancelled_at
from regstack.testing.contest import call
from regstack.testing.fixtures import FAULT_DEADLINE_SECONDS, PATIENCE_SECONDS, answered
from regstack.testing.plugin import NotAvailable
from regstack.testing.writes import WRITES
from regstack.testing.writes import needs as needed

if TYPE_CHECKING:
    from regstack.backends.base import Backend
    from regstack.models.user import User
    from regstack.testing.builders import Builder
    from regstack.testing.contest import Call
    from regstack.testing.expectation import Expectation
    from regstack.testing.fixtures import Database, Remote

pytestmark = pytest.mark.anyio
clause, needs = pytest.mark.clause, pytest.mark.needs

MARGIN_SECONDS = 10
"""What an operation may take beyond its deadline on a busy machine, far less than drivers' own 30 s."""

MOST_STEPS = 60
"""Round trips and waits of one operation, at the most."""

CALLS = [
    pytest.param(operation, marks=[needs(capability)] if (capability := needed(operation)) else [])
    for operation in WRITES
]


async def _attempt(backend: Backend, one: Call) -> tuple[Any, RegStackError | None]:
    try:
        return await one.send(backend), None
    except RegStackError as error:
        return None, error


async def _answers_again(backend: Backend) -> bool:
    try:
        await answered(backend.ping)
    except (BackendUnavailable, BackendTimeout):
        return False
    return True


@clause("COM-12", "COM-04")
@pytest.mark.parametrize("fault", ["refuses connections", "accepts and never answers"])
async def test_a_server_that_is_gone_is_told_within_the_deadline_and_used_again_when_it_is_back(
    fault: str, remote: Remote, hurried: Backend, make: Builder, expect: Expectation
) -> None:
    backend, proxy = hurried, remote.proxy
    user = await remote.backend.users.create(make.user())
    if fault == "refuses connections":
        await proxy.refuse()
    else:
        proxy.stall()
    began = time.monotonic()
    calls = {
        "ping": backend.ping(),
        "users.get_by_id": backend.users.get_by_id(user.id),
        "users.get_token_subject": backend.users.get_token_subject(user.id, jti=make.id()),
        "users.set_password": backend.users.set_password(user.id, "new"),
        "users.delete": backend.users.delete(user.id),
        "blacklist.revoke": backend.blacklist.revoke(make.id(), make.clock.now()),
    }
    answers = await asyncio.gather(*calls.values(), return_exceptions=True)
    seconds = time.monotonic() - began
    for operation, answer in zip(calls, answers, strict=True):
        did = f"{operation} while the server {fault}"
        expect.that(
            isinstance(answer, BackendUnavailable | BackendTimeout),
            came=answer,
            wanted="BackendUnavailable or BackendTimeout",
            did=did,
            cause="the driver's error is not translated, or ping does not ask the server",
        )
        cause = answer.__cause__ if isinstance(answer, BaseException) else None
        expect.that(cause is not None, came=cause, wanted="the driver's error as __cause__", did=did)
    expect.that(
        seconds < FAULT_DEADLINE_SECONDS + MARGIN_SECONDS,
        came=f"{seconds:.1f} s",
        wanted=f"an answer soon after db_timeout_seconds ({FAULT_DEADLINE_SECONDS:g} s)",
        did=f"made six calls at once while the server {fault}",
        cause="the driver's own deadline is longer, or a broken connection is given back with patience",
    )
    await proxy.restore()
    expect(
        await _answers_again(backend),
        True,
        did=f"pinged for {PATIENCE_SECONDS} s after the server was back",
        cause="broken connections stay in the pool",
    )
    found = await answered(lambda: backend.users.get_token_subject(user.id, jti=make.id()))
    expect.that(
        found is None or found.user.id == user.id, came=found, wanted="an answer", did="read afterwards"
    )


@clause("COM-10", "COM-04")
async def test_a_write_that_is_not_answered_in_time_says_that_its_outcome_is_unknown(
    remote: Remote, hurried: Backend, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for _ in range(2):
        await answered(lambda: hurried.blacklist.revoke(make.id(), make.clock.now()))
    remote.proxy.stall()
    jti = make.id()
    _, error = await _attempt(hurried, call("blacklist.revoke", jti, make.clock.now() + HOUR))
    did = "revoked a token while the server took everything and did not answer"
    expect.that(
        isinstance(error, BackendUnavailable | BackendTimeout),
        came=error,
        wanted="BackendTimeout or BackendUnavailable",
        did=did,
    )
    cause = "the deadline is not told apart from a write that was never sent"
    expect(getattr(error, "outcome_unknown", None), True, did=f"{did}; outcome_unknown", cause=cause)
    await remote.proxy.restore()
    again = await answered(lambda: hurried.blacklist.revoke(jti, make.clock.now() + HOUR))
    did = f"{did}; made the call again once it answered"
    expect.that(isinstance(again, bool), came=again, wanted="True or False", did=did)
    expect(await backend.blacklist.is_revoked(jti), True, did="asked in the end")


@clause("COM-10")
@pytest.mark.parametrize("fault", ["broke between two calls", "broke before the answer"])
async def test_a_read_whose_connection_breaks_is_made_again(
    fault: str, remote: Remote, make: Builder, expect: Expectation
) -> None:
    user: User = await remote.backend.users.create(make.user())
    for operation in ("get_by_id", "get_token_subject"):
        options = {"jti": make.id()} if operation == "get_token_subject" else {}
        await getattr(remote.backend.users, operation)(user.id, **options)
        if fault == "broke between two calls":
            remote.proxy.drop()
        else:
            remote.proxy.cut_reply()
        try:
            answer = await getattr(remote.backend.users, operation)(user.id, **options)
        except RegStackError as error:
            answer = error
        found = getattr(answer, "user", answer)
        expect(
            found,
            user,
            did=f"users.{operation} on a connection that {fault}",
            cause="reads are not repeated, or a broken connection stays in the pool",
        )
    await remote.proxy.restore()


@clause("COM-10", "COM-08", "COM-04")
@pytest.mark.parametrize("operation", CALLS)
async def test_a_write_whose_answer_is_lost_says_so_and_can_be_made_again(
    operation: str, remote: Remote, backend: Backend, make: Builder, expect: Expectation
) -> None:
    for after in range(MOST_STEPS):
        # A connection sends more when it meets a statement for the first time.
        first = await WRITES[operation](backend, make)
        _, error = await _attempt(remote.backend, first.call)
        expect(error, None, did=operation)
        write = await WRITES[operation](backend, make)
        cuts = remote.proxy.cuts
        remote.proxy.cut_reply(after=after)
        value, error = await _attempt(remote.backend, write.call)
        lost = remote.proxy.cuts > cuts
        await remote.proxy.restore()
        did = f"{operation}, the connection breaking in place of answer {after + 1}"
        if error is None:
            expect.that(
                write.is_first(value),
                came=value,
                wanted="the answer of the call that made the change, or BackendUnavailable",
                did=did,
                cause="the backend repeats a write whose outcome it does not know",
            )
            expect(await write.is_finished(backend), True, did=f"{did}; looked whether it was done")
            if not lost:
                break
            continue
        expect.that(
            isinstance(error, BackendUnavailable),
            came=error,
            wanted="BackendUnavailable",
            did=did,
            cause="the driver's error is not translated",
        )
        done = await write.is_done(backend)
        if done:
            expect(
                getattr(error, "outcome_unknown", None),
                True,
                did=f"{did}; the change was made, and the error's outcome_unknown says",
                cause="outcome_unknown is not set where a commit may have happened",
            )
        again, error = await _attempt(remote.backend, write.call)
        expect(error, None, did=f"{did}; made the call again")
        expect.that(
            write.is_first(again) if not done else write.is_first(again) or write.is_repeat(again),
            came=again,
            wanted="the first answer" if not done else "the first answer, or that of a repeat",
            did=f"{did}; made the call again, the change {'was' if done else 'was not'} made before",
            cause="half of the change was made",
        )
        expect(await write.is_finished(backend), True, did=f"{did}; looked whether it was done in the end")
    else:
        pytest.fail(f"{operation} takes over {MOST_STEPS} round trips")


@clause("COM-09", "COM-08", "COM-10")
@pytest.mark.parametrize("operation", CALLS)
async def test_an_operation_that_is_cancelled_leaves_the_state_of_before_or_after(
    operation: str, database: Database, make: Builder, expect: Expectation
) -> None:
    victim = await database.open(db_pool_size=2)
    witness = database.first
    await victim.users.count()
    for wait in range(1, MOST_STEPS):
        write = await WRITES[operation](witness, make)
        outcome = await cancelled_at(wait, write.call.send(victim))
        did = f"{operation}, cancelled at its wait number {wait}"
        expect.that(
            outcome.error is None or isinstance(outcome.error, asyncio.CancelledError | RegStackError),
            came=outcome.error,
            wanted="CancelledError, or an error of regstack",
            did=did,
            cause="cleaning up after the cancellation fails",
        )
        again, error = await _attempt(victim, write.call)
        expect(
            error,
            None,
            did=f"{did}; made the call again",
            cause="the connection went back in the middle of a statement, or was never given back",
        )
        expect.that(
            write.is_first(again) or write.is_repeat(again),
            came=again,
            wanted="the answer of the first call, or of a repeat",
            did=f"{did}; made the call again",
            cause="half of the change was made",
        )
        expect(await write.is_finished(witness), True, did=f"{did}; looked whether it was done in the end")
        if not outcome.reached:
            break
    else:
        pytest.fail(f"{operation} waits over {MOST_STEPS} times")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(victim.users.get_by_id(make.id()) for _ in range(8)))


@clause("COM-12", "COM-04", "COM-10")
async def test_a_server_that_is_killed_has_lost_nothing_and_is_used_again(
    database: Database, make: Builder, expect: Expectation
) -> None:
    server = database.harness.server
    if server is None:
        raise NotAvailable("the harness has no server that may be killed")
    backend = await database.open(db_timeout_seconds=2 * FAULT_DEADLINE_SECONDS)
    acknowledged: list[User] = []
    killed = asyncio.Event()

    async def register() -> None:
        while True:
            try:
                acknowledged.append(await backend.users.create(make.user()))
            except (BackendUnavailable, BackendTimeout):
                if killed.is_set():
                    return
                await asyncio.sleep(0.005)

    tasks = [asyncio.create_task(register()) for _ in range(4)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(acknowledged) < 40:  # noqa: ASYNC110 - what is waited for is made by other tasks
            await asyncio.sleep(0.005)
    await asyncio.to_thread(server.kill)
    killed.set()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            came = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await asyncio.to_thread(server.start)
    for escaped in came:
        expect(escaped, None, did="wrote while the server was killed", cause="a driver's error escapes")
    expect(
        await _answers_again(backend),
        True,
        did="pinged after the server was started again",
        cause="broken connections stay in the pool",
    )
    stored = [
        user for user in acknowledged if await answered(partial(backend.users.get_by_id, user.id)) == user
    ]
    expect(
        len(stored),
        len(acknowledged),
        did=f"looked for the {len(acknowledged)} accounts that were acknowledged before the kill",
        cause="writes are acknowledged before they are durable",
    )
    written = await answered(lambda: backend.users.create(make.user()))
    expect(written is not None, True, did="wrote afterwards")
