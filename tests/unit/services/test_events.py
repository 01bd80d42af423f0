from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from regstack.errors import ConfigurationError
from regstack.services.background import BackgroundQueue
from regstack.services.events import EVENTS, EventHooks

pytestmark = pytest.mark.anyio

PUBLIC = """user_registered verification_requested user_verified user_logged_in user_logged_out
password_reset_requested password_reset_completed password_changed email_change_requested email_changed
phone_setup_started mfa_login_started mfa_enabled mfa_disabled user_deleted oauth_signin_started
oauth_signin_completed oauth_account_linked oauth_account_unlinked"""


@pytest.fixture
def queue() -> BackgroundQueue:
    return BackgroundQueue(name="events", capacity=10)


@pytest.fixture
def hooks(queue) -> EventHooks:
    return EventHooks(queue)


def test_the_events_are_those_of_the_public_interface():
    assert set(PUBLIC.split()) == EVENTS


def test_an_unknown_event_is_refused_with_the_list_of_the_known(hooks):
    with pytest.raises(
        ConfigurationError, match=r"no event 'user_loged_in'.*user_logged_in, user_logged_out"
    ):
        hooks.on("user_loged_in", print)
    with pytest.raises(ConfigurationError):
        hooks.on("user_loged_in")
    with pytest.raises(KeyError):
        hooks.fire("user_loged_in")


def test_a_handler_that_cannot_be_called_is_refused(hooks):
    with pytest.raises(ConfigurationError, match="must be a function"):
        hooks.on("user_registered", "not a function")


def test_without_handlers_nothing_is_queued(hooks, queue):
    hooks.fire("user_registered", user="alice")
    assert queue.waiting == 0


async def test_handlers_run_later_in_the_order_of_registration_with_keyword_arguments(hooks, queue):
    log = []

    async def first(*, user: str, **rest: object) -> None:
        await asyncio.sleep(0)
        log.append(("first", user, rest))

    @hooks.on("user_registered")
    def second(**payload: object) -> None:
        log.append(("second", payload))

    hooks.on("user_registered", first)
    hooks.on("user_verified", lambda **payload: log.append(("third", payload)))
    hooks.fire("user_registered", user="alice", event="a payload may say event")
    hooks.fire("user_verified", user="alice")
    assert log == []
    assert await queue.join(5)
    payload = {"user": "alice", "event": "a payload may say event"}
    assert log == [
        ("second", payload),
        ("first", "alice", {"event": "a payload may say event"}),
        ("third", {"user": "alice"}),
    ]


def test_on_gives_the_handler_back(hooks):
    def handler(**payload: object) -> None: ...

    assert hooks.on("user_registered", handler) is handler
    assert hooks.on("user_registered")(handler) is handler


async def test_every_kind_of_callable_is_called_and_awaited(hooks, queue):
    log = []

    async def coroutine_function(name: str, **payload: object) -> None:
        await asyncio.sleep(0)
        log.append(name)

    class AsyncObject:
        async def __call__(self, **payload: object) -> None:
            await coroutine_function("object", **payload)

    hooks.on("user_registered", partial(coroutine_function, "partial"))
    hooks.on("user_registered", AsyncObject())
    hooks.on("user_registered", lambda **payload: coroutine_function("lambda", **payload))
    hooks.fire("user_registered", user="alice")
    assert await queue.join(5)
    assert log == ["partial", "object", "lambda"]


async def test_a_sync_handler_runs_off_the_loops_thread(hooks, queue):
    threads = []
    hooks.on("user_registered", lambda **payload: threads.append(threading.get_ident()))
    hooks.fire("user_registered")
    assert await queue.join(5)
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_a_failing_handler_is_logged_without_payload_and_stops_no_other(hooks, queue, caplog):
    log = []

    async def fails(**payload: object) -> None:
        raise ValueError(f"cannot work with {payload}\r\n")

    def wants_too_much(*, user: str, nonsense: int) -> None: ...

    hooks.on("user_registered", fails)
    hooks.on("user_registered", wants_too_much)
    hooks.on("user_registered", lambda **payload: log.append(payload))
    hooks.fire("user_registered", user="alice@example.com")
    assert await queue.join(5)
    assert log == [{"user": "alice@example.com"}]
    first, second = (record.getMessage() for record in caplog.records)
    assert "fails of event user_registered failed: ValueError at" in first
    assert Path(__file__).name in first
    assert second.endswith(
        "wants_too_much of event user_registered failed: TypeError (missing a required argument: 'nonsense')"
    )
    assert "alice" not in caplog.text
    assert "cannot work" not in caplog.text


async def test_a_full_queue_drops_events_without_a_word_to_the_caller(hooks, queue):
    log = []
    hooks.on("user_logged_in", lambda **payload: log.append(payload["number"]))
    for number in range(12):
        hooks.fire("user_logged_in", number=number)
    assert queue.dropped == 2
    assert await queue.join(5)
    assert log == list(range(10))


def test_handlers_that_were_called_are_not_called_again_after_an_interruption(hooks, queue):
    log = []

    async def quick(**payload: object) -> None:
        log.append("quick")

    async def slow(**payload: object) -> None:
        log.append("slow")
        await asyncio.Event().wait()

    async def last(**payload: object) -> None:
        log.append("last")

    for handler in (quick, slow, last):
        hooks.on("user_registered", handler)

    async def request() -> None:
        hooks.fire("user_registered")
        await asyncio.sleep(0)

    asyncio.run(request())
    assert log == ["quick", "slow"]
    assert asyncio.run(queue.join(5))
    assert log == ["quick", "slow", "last"]
