"""A task is cancelled exactly where it is to be."""

from __future__ import annotations

import asyncio

import pytest

from regstack.testing.cancellation import cancelled_at

pytestmark = pytest.mark.anyio


async def test_it_is_cancelled_at_the_wait_that_was_named() -> None:
    steps: list[int] = []

    async def operation() -> str:
        for number in range(3):
            steps.append(number)
            await asyncio.sleep(0)
        return "done"

    for wait in (1, 2, 3):
        steps.clear()
        outcome = await cancelled_at(wait, operation())
        assert outcome.reached
        assert isinstance(outcome.error, asyncio.CancelledError)
        assert steps == list(range(wait))
    outcome = await cancelled_at(4, operation())
    assert (outcome.reached, outcome.value, outcome.error) == (False, "done", None)


async def test_it_tells_what_an_operation_does_instead_of_giving_up() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "went on"
        return "slept"

    async def clumsy() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise LookupError

    assert (await cancelled_at(1, stubborn())).value == "went on"
    assert isinstance((await cancelled_at(1, clumsy())).error, LookupError)


async def test_what_waits_for_a_future_is_cancelled_there_too() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def operation() -> None:
        await future

    outcome = await cancelled_at(1, operation())
    assert isinstance(outcome.error, asyncio.CancelledError)
    assert future.cancelled()
