from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from argon2 import extract_parameters

from regstack.auth.passwords import PRESETS, Argon2Parameters, PasswordHasher
from regstack.errors import Overloaded

pytestmark = pytest.mark.anyio

CHEAP = PRESETS["insecure-test"]


async def test_the_right_password_matches_and_no_other() -> None:
    hasher = PasswordHasher(CHEAP)
    hashed = await hasher.hash("correct horse")
    assert (await hasher.verify("correct horse", hashed)).matches
    assert not (await hasher.verify("Correct horse", hashed)).matches
    assert not (await hasher.verify("correct horse ", hashed)).matches
    hasher.close()


async def test_a_missing_or_damaged_hash_matches_nothing() -> None:
    hasher = PasswordHasher(CHEAP)
    for hashed in (None, "", "garbage", "$argon2id$v=19$m=8,t=1,p=1$broken"):
        assert not (await hasher.verify("", hashed)).matches
        assert not (await hasher.verify("correct horse", hashed)).matches
    hasher.close()


async def test_a_hash_with_other_parameters_is_renewed_at_the_right_password_only() -> None:
    old, new = PasswordHasher(CHEAP), PasswordHasher(Argon2Parameters(16, 1, 1))
    hashed = await old.hash("correct horse")
    assert (await new.verify("wrong", hashed)).new_hash is None
    renewed = (await new.verify("correct horse", hashed)).new_hash
    assert renewed is not None
    assert extract_parameters(renewed).memory_cost == 16
    assert (await new.verify("correct horse", renewed)).new_hash is None
    old.close()
    new.close()


async def test_the_default_preset_is_what_owasp_recommends() -> None:
    assert PRESETS["owasp"] == Argon2Parameters(memory_kib=19456, time_cost=2, parallelism=1)


async def test_nobody_s_hash_costs_what_a_real_one_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(CHEAP)
    seen: list[str] = []
    verify = hasher._hash.verify_and_update

    def spy(password: str, hashed: str) -> Any:
        seen.append(hashed)
        return verify(password, hashed)

    monkeypatch.setattr(hasher._hash, "verify_and_update", spy)
    real = await hasher.hash("correct horse")
    await hasher.verify("wrong", real)
    await hasher.verify("wrong", None)
    assert extract_parameters(seen[0]) == extract_parameters(seen[1])
    hasher.close()


async def test_hashing_never_runs_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(CHEAP)
    threads: set[int] = set()
    for name in ("hash", "verify_and_update"):
        original = getattr(hasher._hash, name)

        def spy(*args: Any, original: Any = original) -> Any:
            threads.add(threading.get_ident())
            return original(*args)

        monkeypatch.setattr(hasher._hash, name, spy)
    await hasher.verify("x", await hasher.hash("correct horse"))
    assert threads
    assert threading.get_ident() not in threads
    hasher.close()


class Gate:
    """Holds hashing threads until it is opened."""

    def __init__(self, hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened, self.hashed = threading.Event(), 0
        original = hasher._hash.hash

        def wait(password: str) -> str:
            assert self.opened.wait(10)
            self.hashed += 1
            return original(password)

        monkeypatch.setattr(hasher._hash, "hash", wait)


async def test_more_than_may_wait_are_turned_away_and_the_rest_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasher = PasswordHasher(CHEAP, threads=1, queue_size=2)
    gate = Gate(hasher, monkeypatch)
    waiting = [asyncio.ensure_future(hasher.hash("correct horse")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as caught:
        await hasher.hash("one too many")
    assert caught.value.retry_after.total_seconds() > 0
    gate.opened.set()
    assert len(await asyncio.gather(*waiting)) == 3
    await hasher.hash("there is room again")
    hasher.close()


async def test_a_cancelled_request_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(CHEAP, threads=1, queue_size=1)
    gate = Gate(hasher, monkeypatch)
    running = asyncio.ensure_future(hasher.hash("one"))
    waiting = asyncio.ensure_future(hasher.hash("two"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    in_its_place = asyncio.ensure_future(hasher.hash("three"))
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(running, in_its_place)
    assert gate.hashed == 2
    hasher.close()


async def test_two_hashers_have_their_own_threads() -> None:
    one, other = PasswordHasher(CHEAP), PasswordHasher(CHEAP)
    await one.hash("correct horse")
    one.close()
    assert await other.hash("correct horse")
    other.close()
