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
    from regstack.backends.protocols import LoginAttemptRepoProtocol
    from regstack.models.attempt import AttemptDecision

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
    many addresses, and as many again only from a place that the owner shares.

    Args:
        attempts: the counters.
        keys: key of the hashes, so that storage knows no address.
        clock: the time.
    """

    def __init__(self, attempts: LoginAttemptRepoProtocol, keys: KeyRing, clock: Clock) -> None:
        self._attempts = attempts
        self._keys = keys
        self._clock = clock

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

    async def forget(self, purpose: str, account: str) -> None:
        """Set the account's common counter back."""
        await self._attempts.clear(self._key(f"{purpose}:{account}"))

    async def remember_place(self, account: str) -> None:
        """Count the caller's browser and network as the owner's from now on."""
        caller = current_caller()
        if caller is None:
            return
        if caller.device is None:
            caller.device = caller.remember_device = secrets.token_urlsafe(16)
        await asyncio.gather(*(self._remember(self._key(f"place:{account}:{place}")) for place in _places()))

    async def _remember(self, key: str) -> None:
        """Open a mark of twice `KNOWN_FOR`, unless there is one that still has half of it to go."""
        now = self._clock.now()
        if not await self._attempts.count_recent(key, KNOWN_FOR, now):
            await self._attempts.clear(key)
            await self._attempts.record_failure(key, window=2 * KNOWN_FOR, now=now)

    async def _known_place(self, account: str) -> str | None:
        places = _places()
        counts = await asyncio.gather(
            *(
                self._attempts.count_recent(
                    self._key(f"place:{account}:{place}"), 2 * KNOWN_FOR, self._clock.now()
                )
                for place in places
            )
        )
        return next((place for place, count in zip(places, counts, strict=True) if count), None)

    def _key(self, counter: str) -> str:
        return self._keys.fingerprint("attempts", counter)


def _places() -> list[str]:
    """The caller's browser and network, the more telling one first."""
    caller = current_caller()
    if caller is None:
        return []
    told = (("device", caller.device), ("network", caller.network))
    return [f"{kind}:{value}" for kind, value in told if value is not None]
