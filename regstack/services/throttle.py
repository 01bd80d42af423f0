"""Claims on counters that all workers share."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.services.caller import current_caller

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.auth.keys import KeyRing
    from regstack.backends.protocols import LoginAttemptRepoProtocol, UserRepoProtocol
    from regstack.models.attempt import AttemptDecision
    from regstack.models.user import User
    from regstack.services.background import BackgroundQueue

KNOWN_FOR = timedelta(days=30)
"""How long a place counts as the owner's after a sign-in from it, at the least; twice that at the most."""


@dataclass(frozen=True, slots=True)
class Rule:
    """So many attempts in a window."""

    limit: int
    window: timedelta


class Throttle:
    """Counts attempts in storage, before they are made, under keyed hashes of who and what.

    What counts for an account would let anybody lock its owner out. So a browser or a network
    from which its owner has signed in lately has a counter of its own, which begins once the
    common one is used up (after OWASP's device cookies: "Slow Down Online Guessing Attacks").
    Anybody else shares the common one: an attacker gets `limit` guesses a window, from however
    many addresses, and as many again only from a place that the owner shares. Places end with the
    password that was used from them and with the phone: whoever was in the account once is a
    stranger after either has changed.

    Args:
        attempts: the counters.
        users: whose places they are.
        keys: key of the hashes, so that storage knows no address.
        clock: the time.
        background: where places are remembered.
    """

    def __init__(
        self,
        attempts: LoginAttemptRepoProtocol,
        users: UserRepoProtocol,
        keys: KeyRing,
        clock: Clock,
        background: BackgroundQueue,
    ) -> None:
        self._attempts = attempts
        self._users = users
        self._keys = keys
        self._clock = clock
        self._background = background

    async def claim(self, counter: str, rule: Rule) -> AttemptDecision:
        """Pay for one attempt."""
        return await self._attempts.claim(
            self._key(counter), limit=rule.limit, window=rule.window, now=self._clock.now()
        )

    async def claim_for(self, purpose: str, account: str, rule: Rule) -> AttemptDecision:
        """Pay for one attempt on an account, whether it exists or not.

        Args:
            purpose: what is tried.
            account: email key.
            rule: how often that may be.
        """
        decision = await self.claim(f"{purpose}:{account}", rule)
        if decision.allowed:
            return decision
        place = await self._known_place(account)
        return decision if place is None else await self.claim(f"{purpose}:{account}:{place}", rule)

    async def forget(self, purpose: str, account: str, rule: Rule) -> None:
        """Set the common counter back, or those of the caller's places where it is used up.

        It is so by an attack, mostly: that the owner signs in from a known place gives the attacker
        no new guesses. Storage looks at the count where it deletes it, so one wait is enough, and
        whoever paid for an attempt finds a count. Where there is none, somebody else has just cleared
        it, and clearing the places as well takes nothing from anybody.
        """
        common = f"{purpose}:{account}"
        if not await self._attempts.clear(self._key(common), at_most=rule.limit):
            await asyncio.gather(
                *(self._attempts.clear(self._key(f"{common}:{place}")) for place in _places())
            )

    async def lift(self, purpose: str, account: str) -> None:
        """Set the common counter back, used up or not."""
        await self._attempts.clear(self._key(f"{purpose}:{account}"))

    def remember_place(self, user: User) -> None:
        """Count the caller's browser and network as the owner's soon, after the answer.

        The answer waits for none of it: a place that is lost on the way only lets its owner in later
        during an attack, and is remembered at the next sign-in.
        """
        caller = current_caller()
        if caller is None:
            return
        if caller.device is None:
            caller.device = caller.remember_device = secrets.token_urlsafe(16)
        owner = _owner(user)
        new = f"device:{caller.remember_device}"
        marks = {self._key(f"place:{owner}:{place}"): place == new for place in _places()}
        self._background.put(lambda: self._remember(marks), label="remember-place")

    async def _remember(self, marks: dict[str, bool]) -> None:
        """Open marks of twice `KNOWN_FOR`, unless there is one that still has half of it to go.

        Args:
            marks: of places; True for one that was made just now, so that nobody can have marked it.
        """
        now = self._clock.now()
        for mark, is_new in marks.items():
            if not is_new:
                if await self._attempts.count_recent(mark, KNOWN_FOR, now):
                    continue
                await self._attempts.clear(mark)
            await self._attempts.record_failure(mark, window=2 * KNOWN_FOR, now=now)

    async def _known_place(self, account: str) -> str | None:
        places = _places()
        if not places:
            return None
        user = await self._users.get_by_email(account)
        # An address without an account takes the same reads as one that has one.
        owner = _owner(user) if user is not None else account
        counts = await asyncio.gather(
            *(
                self._attempts.count_recent(
                    self._key(f"place:{owner}:{place}"), 2 * KNOWN_FOR, self._clock.now()
                )
                for place in places
            )
        )
        return next((place for place, count in zip(places, counts, strict=True) if count), None)

    def _key(self, counter: str) -> str:
        return self._keys.fingerprint("attempts", counter)


def _owner(user: User) -> str:
    """The account as it was signed in to: what ends sessions, or changes the phone, makes another."""
    return f"{user.id}:{user.token_version}:{user.phone_number}"


def _places() -> list[str]:
    """The caller's browser and network, the more telling one first."""
    caller = current_caller()
    if caller is None:
        return []
    told = (("device", caller.device), ("network", caller.network))
    return [f"{kind}:{value}" for kind, value in told if value is not None]
