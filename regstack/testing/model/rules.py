"""What all rules share: the twin, names, bundles, and time that moves."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, precondition, rule

from regstack.models.ids import is_id
from regstack.models.instant import instant
from regstack.testing.contest import Call
from regstack.testing.model.hostile import ATTEMPT_KEYS
from regstack.testing.model.population import Population

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from regstack.models.user import User
    from regstack.testing.model.names import Names
    from regstack.testing.model.twin import Twin

MILLISECOND = timedelta(milliseconds=1)

USERS: Bundle[str] = Bundle("users")
PENDING_TOKENS: Bundle[str] = Bundle("pending_tokens")
RESET_TOKENS: Bundle[str] = Bundle("reset_tokens")
CHANGE_TOKENS: Bundle[str] = Bundle("change_tokens")
JTIS: Bundle[str] = Bundle("jtis")
ATTEMPTS: Bundle[str] = Bundle("attempt_keys")

LIFETIMES = st.sampled_from(
    [
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=1, microseconds=700),
        timedelta(days=1),
        MILLISECOND,
        timedelta(),
        -MILLISECOND,
    ]
)
"""From the clock's time to the expiry of what is stored; some is born expired."""

DELAYS = st.sampled_from(
    [
        timedelta(),
        timedelta(),
        timedelta(),
        timedelta(microseconds=700),
        MILLISECOND,
        -MILLISECOND,
        timedelta(minutes=10),
        -timedelta(minutes=10),
    ]
)
"""From the clock's time to the `now` of an operation that takes one."""

GUARDS = st.sampled_from(["none", "none", "current", "stale", "zero"])
"""Which `token_version` an operation is given."""

GRACES = st.sampled_from([timedelta(hours=1), timedelta(minutes=10), timedelta()])

BATCHES = st.sampled_from([1, 2, 1000])

_MOST_BACK = 7


def only_with(repository: str) -> Callable[[Any], Any]:
    """Let a rule run only where this repository is part of the program."""
    return precondition(lambda machine: repository in machine.repositories)


class Rules(RuleBasedStateMachine):
    """Calls of a twin, and the clock.

    Bundles hold what exists, what was used, replaced, deleted or has expired, and from the start one of
    each that never existed. Every program begins with the same small population.

    Args:
        twin: backend and reference.
        names: makes ids and hashes.
        repositories: the attributes of the backend that the program uses.
    """

    def __init__(self, twin: Twin, names: Names, repositories: frozenset[str]) -> None:
        super().__init__()
        self.twin = twin
        self.names = names
        self.repositories = repositories
        self.before = Population(twin, names, repositories)
        self._deadlines = [*self.before.deadlines]
        self._misspelt = False

    def call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call on both sides; give the reference's value, None where it raised."""
        return self.twin.call(Call(operation, args, kwargs)).value

    def moment(self, distance: timedelta) -> datetime:
        """Give the clock's time, moved by a distance."""
        return self.twin.clock.now() + distance

    def expiry(self, lifetime: timedelta) -> datetime:
        """Give the end of a lifetime that begins now, to which the clock may move later."""
        self.end_at(self.moment(lifetime))
        return self.moment(lifetime)

    def end_at(self, moment: datetime) -> None:
        """Remember when something ends."""
        self._deadlines.append(instant(moment))

    def stored(self, user_id: str) -> User | None:
        """Look at an account in the reference."""
        return self.twin.reference.store.users.get(user_id)

    def version(self, user_id: str, guard: str) -> int | None:
        """Give the `token_version` that a guard of `GUARDS` stands for."""
        user = self.stored(user_id)
        current = user.token_version if user is not None else 1
        return {"none": None, "current": current, "stale": max(0, current - 1), "zero": 0}[guard]

    @initialize(target=USERS)
    def nobody(self) -> Any:
        """Name an account that never existed, and those there are."""
        return multiple(self.names.id("nobody"), *self.before.users)

    @initialize(target=PENDING_TOKENS)
    def no_registration(self) -> Any:
        """Name a registration that never existed, and those there are."""
        return multiple(self.names.hash("no_pending_token"), *self.before.pending_tokens)

    @initialize(target=RESET_TOKENS)
    def no_reset(self) -> Any:
        """Name a reset token that never existed, and those there are."""
        return multiple(self.names.hash("no_reset_token"), *self.before.reset_tokens)

    @initialize(target=CHANGE_TOKENS)
    def no_change(self) -> Any:
        """Name an email-change token that never existed, and those there are."""
        return multiple(self.names.hash("no_change_token"), *self.before.change_tokens)

    @initialize(target=JTIS)
    def no_jti(self) -> Any:
        """Name an access token that was never revoked, and those there are."""
        return multiple(self.names.id("no_jti"), *self.before.jtis)

    @initialize(target=ATTEMPTS, text=st.sampled_from(ATTEMPT_KEYS))
    def some_key(self, text: str) -> Any:
        """Name a key without attempts, and the one with some."""
        return multiple(text, *self.before.attempt_keys)

    @rule(target=USERS, user=USERS)
    @precondition(lambda self: not self._misspelt)
    def misspell(self, user: str) -> str:
        """Write an id as no id is written; once, since most ids should hit something."""
        self._misspelt = True
        return user.upper()

    @rule(back=st.integers(0, _MOST_BACK), distance=st.sampled_from([timedelta(), -MILLISECOND, MILLISECOND]))
    @precondition(lambda self: self._deadlines)
    def move_to_a_deadline(self, back: int, distance: timedelta) -> None:
        """Move to where something ends, or one millisecond beside it."""
        deadline = self._deadlines[-1 - min(back, len(self._deadlines) - 1)]
        self.twin.move(deadline + distance - self.twin.clock.now())

    @rule(
        delta=st.sampled_from(
            [
                MILLISECOND,
                timedelta(seconds=1),
                timedelta(minutes=10),
                timedelta(hours=1),
                timedelta(hours=25),
                timedelta(days=400),
                -MILLISECOND,
                -timedelta(minutes=1),
                -timedelta(hours=2),
            ]
        )
    )
    def move(self, delta: timedelta) -> None:
        """Move on, or a little back."""
        self.twin.move(delta)

    @rule()
    @precondition(lambda self: any(isinstance(step, Call) for step in self.twin.program))
    def repeat(self) -> None:
        """Make the last call once more, as a caller does that got no answer (COM-10)."""
        last = next(step for step in reversed(self.twin.program) if isinstance(step, Call))
        self.twin.call(last)


def canonical(user_id: str | None) -> str | None:
    """Give an id back if it is spelt as one."""
    return user_id if user_id is not None and is_id(user_id) else None
