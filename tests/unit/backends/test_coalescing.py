from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from regstack.backends.coalescing import Coalesced
from regstack.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio


class Reader:
    """Doubles numbers, and keeps what was read at once; reads wait while `hold` is set."""

    def __init__(self) -> None:
        self.reads: list[list[int]] = []
        self.failures: list[Exception] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def one(self, key: int) -> int:
        self.reads.append([key])
        await self.may_answer.wait()
        if key < 0:
            raise ValueError(key)
        return 2 * key

    async def many(self, keys: Sequence[int]) -> list[int]:
        self.reads.append(list(keys))
        await self.may_answer.wait()
        if self.failures:
            raise self.failures.pop()
        if min(keys) < 0:
            raise ValueError
        return [2 * key for key in keys]


@pytest.fixture
async def reader() -> Reader:
    return Reader()


@pytest.fixture
async def read(reader: Reader) -> Coalesced[int, int]:
    return Coalesced(reader.one, reader.many, most=8)


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_read_that_waits_alone_is_sent_in_its_own_form(read, reader):
    assert [await read(1), await read(2)] == [2, 4]
    assert reader.reads == [[1], [2]]


async def test_reads_of_the_same_turn_share_one_and_each_gets_its_own_answer(read, reader):
    assert await asyncio.gather(*(read(key) for key in (3, 1, 3, 2))) == [6, 2, 6, 4]
    assert reader.reads == [[3, 1, 3, 2]]


async def test_a_read_does_not_join_one_that_was_sent(read, reader):
    reader.may_answer.clear()
    early = [asyncio.create_task(read(key)) for key in (1, 2)]
    await turns()
    late = [asyncio.create_task(read(key)) for key in (1, 2)]
    await turns()
    assert reader.reads == [[1, 2], [1, 2]]
    reader.may_answer.set()
    assert await asyncio.gather(*early, *late) == [2, 4, 2, 4]


async def test_a_batch_has_a_bounded_size(read, reader):
    assert await asyncio.gather(*(read(key) for key in range(20))) == [2 * key for key in range(20)]
    assert [len(each) for each in reader.reads] == [8, 8, 4]


@pytest.mark.parametrize("cancelled", range(3))
@pytest.mark.parametrize("turns_before", range(5))
async def test_one_that_is_cancelled_does_not_touch_the_others(read, reader, cancelled, turns_before):
    reader.may_answer.clear()
    tasks = [asyncio.create_task(read(key)) for key in range(3)]
    await turns(turns_before)
    tasks[cancelled].cancel()
    await turns()
    reader.may_answer.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers.pop(cancelled), asyncio.CancelledError)
    assert answers == [2 * key for key in range(3) if key != cancelled]


async def test_one_whose_time_is_up_does_not_touch_the_others(read, reader):
    reader.may_answer.clear()

    async def impatient() -> int:
        async with asyncio.timeout(0.001):
            return await read(1)

    others = [asyncio.create_task(read(key)) for key in (2, 3)]
    with pytest.raises(TimeoutError):
        await impatient()
    reader.may_answer.set()
    assert await asyncio.gather(*others) == [4, 6]


async def test_nothing_is_read_when_all_have_gone(read, reader):
    tasks = [asyncio.create_task(read(key)) for key in (1, 2)]
    await turns(1)
    for task in tasks:
        task.cancel()
    await turns()
    assert all(task.cancelled() for task in tasks)
    assert reader.reads == []
    assert await read(5) == 10


async def test_a_bad_key_fails_alone(read, reader, caplog):
    answers = await asyncio.gather(read(1), read(-1), read(2), return_exceptions=True)
    assert [answers[0], answers[2]] == [2, 4]
    assert isinstance(answers[1], ValueError)
    assert answers[1].args == (-1,)
    assert caplog.messages == []


async def test_a_database_that_is_away_is_asked_once_for_all(read, reader):
    reader.failures.append(BackendUnavailable())
    answers = await asyncio.gather(*(read(key) for key in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [BackendUnavailable] * 3
    assert reader.reads == [[0, 1, 2]]


async def test_answers_that_are_too_few_are_given_to_nobody_and_told(reader, caplog):
    async def forgetful(keys: Sequence[int]) -> list[int]:
        return (await reader.many(keys))[1:]

    read = Coalesced(reader.one, forgetful)
    assert await asyncio.gather(*(read(key) for key in (1, 2, 3))) == [2, 4, 6]
    assert reader.reads == [[1, 2, 3], [1], [2], [3]]
    assert caplog.messages == ["a read of 3 keys failed with ValueError, none of them by itself"]


async def test_what_one_caller_has_in_its_context_is_not_for_the_others(reader):
    setting: ContextVar[str] = ContextVar("setting", default="none")
    seen = []

    async def many(keys: Sequence[int]) -> list[int]:
        seen.append(setting.get())
        return await reader.many(keys)

    read = Coalesced(reader.one, many)

    async def ask(key: int) -> int:
        setting.set(f"of {key}")
        return await read(key)

    assert await asyncio.gather(*(asyncio.create_task(ask(key)) for key in (1, 2))) == [2, 4]
    assert seen == ["none"]


async def test_nobody_waits_for_ever_where_reading_alone_is_cancelled_from_below(reader):
    async def cancelled(_: int) -> int:
        raise asyncio.CancelledError

    async def refused(_: Sequence[int]) -> list[int]:
        raise ValueError

    read = Coalesced(cancelled, refused)
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(read(key) for key in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError] * 3


def test_a_loop_that_ends_with_reads_under_way_leaves_nothing_for_the_next():
    reader = Reader()
    read = Coalesced(reader.one, reader.many)

    async def leave() -> None:
        reader.may_answer = asyncio.Event()
        for key in (1, 2):
            asyncio.ensure_future(read(key))  # noqa: RUF006 - left behind on purpose
        await asyncio.sleep(0)

    async def again() -> list[int]:
        reader.may_answer.set()
        return await asyncio.gather(read(1), read(2))

    asyncio.run(leave())
    assert asyncio.run(again()) == [2, 4]
