"""Foreign text made fit for one line of a log, a header or a terminal."""

from __future__ import annotations

import unicodedata

_UNFIT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
"""Format characters that words of several scripts are spelt with (Unicode Standard, section 23.2)."""


def one_line(value: object, limit: int = 300) -> str:
    """Give the text without anything that could begin a new line, or hide or reorder what follows.

    Control and format characters, lone surrogates and line separators become spaces, runs of
    white space become one. This is the one place against injection into logs and mail headers
    (CWE-93, CWE-117).

    Args:
        value: what to show; `str` of it is taken.
        limit: characters at the most; what is longer ends in an ellipsis.
    """
    # A cut before the scan bounds the work on a megabyte of hostile text.
    text = str(value)[: 4 * limit]
    clean = "".join(character if _is_fit(character) else " " for character in text)
    line = " ".join(clean.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _is_fit(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _UNFIT
