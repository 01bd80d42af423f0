"""Keys and descriptions are asked for seldom, together, and again when they must be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from regstack.errors import OAuthRejected, OAuthUnavailable
from regstack.oauth.remembered import LIFE_SECONDS, PAUSE_SECONDS, Remembered
from tests.servers.lying_provider import OTHER_RSA, RSA, LyingProvider, public
from tests.unit.oauth.flow import Flow

CODE = {"code": "a-code"}
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def time_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock that is never set back."""
    now = 1000.0

    def pass_(seconds: float) -> None:
        nonlocal now
        now += seconds

    original = Remembered.__init__
    monkeypatch.setattr(
        Remembered, "__init__", lambda self, fetch, _now=None: original(self, fetch, lambda: now)
    )
    return pass_


async def test_a_hundred_sign_ins_at_once_ask_for_keys_and_description_once(
    flow: Flow, liar: LyingProvider
) -> None:
    accounts = await asyncio.gather(*(flow.finish(CODE) for _ in range(100)))
    assert len(accounts) == 100
    assert (len(liar.asked(DISCOVERY)), len(liar.asked("/keys")), len(liar.asked("/token"))) == (1, 1, 100)


async def test_keys_and_description_are_used_for_an_hour(
    time_passes: Callable[[float], None], flow: Flow, liar: LyingProvider
) -> None:
    await flow.finish(CODE)
    time_passes(LIFE_SECONDS - 1)
    await flow.finish(CODE)
    assert (len(liar.asked(DISCOVERY)), len(liar.asked("/keys"))) == (1, 1)
    time_passes(1)
    await flow.finish(CODE)
    assert (len(liar.asked(DISCOVERY)), len(liar.asked("/keys"))) == (2, 2)


async def test_a_key_that_was_withdrawn_does_not_outlive_the_hour(
    time_passes: Callable[[float], None], flow: Flow, liar: LyingProvider
) -> None:
    await flow.finish(CODE)
    liar.published = [public(OTHER_RSA, "two")]
    time_passes(LIFE_SECONDS)
    with pytest.raises(OAuthRejected):
        await flow.finish(CODE)


async def test_a_new_key_is_found_when_a_token_names_it(
    time_passes: Callable[[float], None], flow: Flow, liar: LyingProvider
) -> None:
    await flow.finish(CODE)
    liar.key, liar.header = OTHER_RSA, {"kid": "two"}
    liar.published = [public(RSA, "one"), public(OTHER_RSA, "two")]
    time_passes(PAUSE_SECONDS)
    assert (await flow.finish(CODE)).subject == "alice"
    assert len(liar.asked("/keys")) == 2


async def test_made_up_keys_do_not_make_us_hammer_the_provider(
    time_passes: Callable[[float], None], flow: Flow, liar: LyingProvider
) -> None:
    for minute in range(3):
        time_passes(PAUSE_SECONDS)
        for number in range(30):
            liar.header = {"kid": f"made-up-{minute}-{number}"}
            with pytest.raises(OAuthRejected):
                await flow.finish(CODE)
    assert len(liar.asked("/keys")) == 3


async def test_made_up_keys_at_once_share_one_request(
    time_passes: Callable[[float], None], flow: Flow, liar: LyingProvider
) -> None:
    await flow.finish(CODE)
    time_passes(PAUSE_SECONDS)
    liar.header = {"kid": "made-up"}
    results = await asyncio.gather(*(flow.finish(CODE) for _ in range(30)), return_exceptions=True)
    assert {type(result) for result in results} == {OAuthRejected}
    assert len(liar.asked("/keys")) == 2


async def test_a_failure_is_not_remembered(flow: Flow, liar: LyingProvider) -> None:
    liar.statuses["/keys"] = 503
    with pytest.raises(OAuthUnavailable):
        await flow.finish(CODE)
    del liar.statuses["/keys"]
    assert (await flow.finish(CODE)).subject == "alice"


async def test_a_failed_look_for_a_new_key_leaves_the_old_ones(
    time_passes: Callable[[float], None], flow: Flow, liar: LyingProvider
) -> None:
    await flow.finish(CODE)
    time_passes(PAUSE_SECONDS)
    liar.statuses["/keys"], liar.header = 503, {"kid": "made-up"}
    with pytest.raises(OAuthUnavailable):
        await flow.finish(CODE)
    liar.header = {}
    assert (await flow.finish(CODE)).subject == "alice"


def counted(results: list[Any]) -> tuple[Callable[[], Awaitable[Any]], asyncio.Event, list[int]]:
    """A fetch that waits until it may go on, and gives or raises the results in turn."""
    gate, calls = asyncio.Event(), []

    async def fetch() -> Any:
        calls.append(1)
        await gate.wait()
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return fetch, gate, calls


async def test_who_stops_waiting_takes_nothing_from_the_others() -> None:
    fetch, gate, calls = counted(["value"])
    value = Remembered(fetch)
    first, second = asyncio.create_task(value.get()), asyncio.create_task(value.get())
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == "value"
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(calls) == 1


async def test_one_failure_is_told_to_all_who_wait_and_to_nobody_where_none_does() -> None:
    fetch, gate, calls = counted([OAuthUnavailable("down"), OAuthUnavailable("down"), "value"])
    value = Remembered(fetch)
    waiting = [asyncio.create_task(value.get()) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {OAuthUnavailable}
    assert len(calls) == 1
    alone = asyncio.create_task(value.get())
    await asyncio.sleep(0)
    alone.cancel()
    await asyncio.wait([alone])
    assert await value.get() == "value" or len(calls) == 2


async def test_closing_breaks_off_what_is_under_way() -> None:
    fetch, _, _ = counted([])
    value = Remembered(fetch)
    waiting = asyncio.create_task(value.get())
    await asyncio.sleep(0)
    await value.aclose()
    with pytest.raises(OAuthUnavailable, match="does not answer"):
        await waiting


def test_one_value_serves_event_loops_one_after_the_other_and_at_once() -> None:
    calls: list[int] = []

    async def fetch() -> int:
        calls.append(1)
        await asyncio.sleep(0)
        return len(calls)

    value = Remembered(fetch)
    assert asyncio.run(value.get()) == 1
    assert asyncio.run(value.get()) == 1

    stalled: Remembered[int] = Remembered(lambda: asyncio.sleep(3600, 7))

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stalled.get(), 0.01)

    asyncio.run(give_up())
    asyncio.run(give_up())
