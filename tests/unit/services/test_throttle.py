from __future__ import annotations

import pytest

from regstack.auth.clock import FrozenClock
from regstack.auth.keys import KeyRing
from regstack.models.ids import new_id
from regstack.models.user import User
from regstack.services.background import BackgroundQueue
from regstack.services.caller import Caller, Origin
from regstack.services.throttle import Throttle

pytestmark = pytest.mark.anyio


class Attempts:
    """Storage in which nothing is marked yet; writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def count_recent(self, *_arguments: object) -> int:
        self.asked.append("count_recent")
        return 0

    async def clear(self, _key: str) -> bool:
        self.asked.append("clear")
        return False

    async def record_failure(self, _key: str, **_arguments: object) -> int:
        self.asked.append("record_failure")
        return 1


@pytest.mark.parametrize(
    ("device", "asked"),
    [("kept-by-the-browser", ["count_recent", "clear", "record_failure"]), (None, ["record_failure"])],
)
async def test_a_browser_that_gets_its_cookie_now_is_remembered_without_a_look(
    device: str | None, asked: list[str]
) -> None:
    clock, attempts = FrozenClock(), Attempts()
    queue = BackgroundQueue(name="places", capacity=10)
    throttle = Throttle(attempts, None, KeyRing("a" * 32), clock, queue)  # type: ignore[arg-type]
    email = "alice@example.com"
    alice = User.new(id=new_id(clock), email=email, email_key=email, hashed_password=None, now=clock.now())
    with Caller(lambda: Origin(device=device)) as caller:
        throttle.remember_place(alice)
    await queue.join()
    assert attempts.asked == asked
    assert (caller.remember_device is None) == (device is not None)
