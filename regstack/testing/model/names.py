"""Ids and hashes that are the same again when a program is repeated."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING

from regstack.models.instant import to_milliseconds

if TYPE_CHECKING:
    from regstack.auth.clock import Clock


class Names:
    """Makes ids and hashes that nothing had before, and remembers what a reader calls them.

    Args:
        clock: gives the time that an id carries.

    Attributes:
        symbols: `user_1`, `reset_token_3`, … by value.
    """

    def __init__(self, clock: Clock) -> None:
        self.symbols: dict[str, str] = {}
        self._clock = clock
        self._made: Counter[str] = Counter()

    def id(self, noun: str) -> str:
        """Make a canonical UUIDv7 of the clock's time."""
        digits = f"{to_milliseconds(self._clock.now()):012x}7{self._digits(noun)}"
        value = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-a{digits[17:20]}-{digits[20:32]}"
        return self._named(noun, value)

    def hash(self, noun: str) -> str:
        """Make what a SHA-256 looks like."""
        return self._named(noun, self._digits(noun))

    def of(self, *nouns: str) -> list[str]:
        """Give what was made under these nouns, oldest first."""
        return [value for value, symbol in self.symbols.items() if symbol.rpartition("_")[0] in nouns]

    def _digits(self, noun: str) -> str:
        return sha256(f"{noun} {self._made[noun]}".encode()).hexdigest()

    def _named(self, noun: str, value: str) -> str:
        self._made[noun] += 1
        self.symbols[value] = f"{noun}_{self._made[noun]}"
        return value
