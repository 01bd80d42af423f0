"""Lua scripts, which run on the server."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files


class Script:
    """The operations of one repository.

    Args:
        name: of the file in `lua/`, to which the library is put in front.

    Attributes:
        source: what the server runs.
        sha: by which the server knows it.
    """

    def __init__(self, name: str) -> None:
        folder = files("regstack_redis_sample") / "lua"
        parts = [(folder / f"{each}.lua").read_text("utf-8") for each in ("library", name)]
        self.source = "\n".join(parts)
        self.sha = sha1(self.source.encode(), usedforsecurity=False).hexdigest()
