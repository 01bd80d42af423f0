"""Which passwords are accepted (NIST SP 800-63B-4, section 3.1.1.2; OWASP ASVS 5.0, V6.2)."""

from __future__ import annotations

import gzip
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from regstack.errors import PasswordRejected
from regstack.models.text import check_text, search_key

if TYPE_CHECKING:
    from collections.abc import Iterable

MINIMUM_LENGTH = 8
MAXIMUM_LENGTH = 128
"""Characters (code points). The password is hashed exactly as it came, never cut."""

_SHORTEST_CONTEXT_WORD = 4


class PasswordPolicy:
    """Length and a list of common passwords; no rules of composition."""

    def check(self, password: str, *, context: Iterable[str] = ()) -> None:
        """Let a new password through, or say why not.

        Args:
            password: the new password.
            context: words that must not be the whole password: the address, the person's name,
                the application's name.

        Raises:
            PasswordRejected: it is too short, too long, or easily guessed; says which.
            InvalidText: it holds NUL or a lone surrogate.
        """
        if len(password) < MINIMUM_LENGTH:
            raise PasswordRejected(f"a password has at least {MINIMUM_LENGTH} characters")
        if len(password) > MAXIMUM_LENGTH:
            raise PasswordRejected(f"a password has at most {MAXIMUM_LENGTH} characters")
        folded = search_key(check_text(password))
        if folded in self._common or len(set(folded)) == 1:
            raise PasswordRejected("this password is among the most common ones; choose another")
        if folded in _words(context):
            raise PasswordRejected("a password must not be your own address or name, or the application's")

    @cached_property
    def _common(self) -> frozenset[str]:
        data = files("regstack.auth").joinpath("common_passwords.txt.gz").read_bytes()
        return frozenset(gzip.decompress(data).decode().split("\n"))


def _words(context: Iterable[str]) -> set[str]:
    words: set[str] = set()
    for text in context:
        folded = search_key(text)
        parts = {folded, folded.replace(" ", ""), folded.partition("@")[0]}
        words |= {part for part in parts if len(part) >= _SHORTEST_CONTEXT_WORD}
    return words
