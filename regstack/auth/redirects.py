"""Where a browser may be sent after a sign-in: nowhere but to this site."""

from __future__ import annotations

import re
from urllib.parse import unquote

MAX_LENGTH = 2048
_MAX_DECODINGS = 3

_WHOLE = re.compile(r"/[!-\[\]-~]*")
"""A slash and then printable ASCII without blank and backslash; other characters travel encoded."""

_ESCAPE = re.compile(r"[\x00-\x1f\x7f-\x9f\\]|//|/\.{1,2}(?:/|$)")
"""What makes some browser or proxy read a path as a host, another path, or a header line."""


def local_path(text: str | None) -> str | None:
    r"""Give a path of this site back unchanged, and None for everything else.

    Browsers read `/\evil` and `/<tab>/evil` as hosts (WHATWG URL, section 4.4), and something on
    the way may decode a path once more, so every decoded form of it has to be local too. The
    query is not interpreted as a location by anyone and may hold what it likes, in printable
    characters.
    """
    if text is None or len(text) > MAX_LENGTH or not _WHOLE.fullmatch(text):
        return None
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    for _ in range(_MAX_DECODINGS):
        if _ESCAPE.search(path):
            return None
        decoded = unquote(path)
        if decoded == path:
            return text
        if decoded.count("/") != path.count("/"):
            return None
        path = decoded
    return None
