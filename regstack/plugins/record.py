"""What discovery knows about one plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pluggy

    from regstack.backends.base import Capability
    from regstack.transports.info import TransportKind


class PluginState(StrEnum):
    """Whether a plugin can be used, and if not, why."""

    OK = "ok"
    BROKEN = "broken"
    """It failed to import, to describe itself, or to fit the hooks."""
    INCOMPATIBLE = "incompatible"
    """It was written for another `API_VERSION`."""
    DUPLICATE = "duplicate"
    """An earlier plugin has its name, or one of its URL schemes."""
    BLOCKED = "blocked"
    """An environment variable names it; by its entry point's name it was not even imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRecord:
    """One entry point, and what became of it.

    Attributes:
        name: the plugin's name; the entry point's where the plugin could not tell.
        state: whether it can be used.
        distribution: name of the distribution that it came with, empty where there is none.
        version: version of that distribution.
        entry_point: the entry point's value, `package.module` or `package.module:object`.
        api_version: what the plugin says it was written for, None where it could not tell.
        summary: one line for people.
        reason: why the state is not `ok`, else empty.
        next_step: what to do about it, else empty.
        hooks: the plugin's own hooks, None where it could not be loaded.
        error: what was raised while it was loaded.
    """

    name: str
    state: PluginState
    distribution: str
    version: str
    entry_point: str
    api_version: int | None = None
    summary: str = ""
    reason: str = ""
    next_step: str = ""
    hooks: pluggy.HookRelay | None = field(default=None, repr=False, compare=False)
    error: BaseException | None = field(default=None, repr=False, compare=False)

    @property
    def origin(self) -> str:
        """Distribution and version in one, for messages."""
        return f"{self.distribution} {self.version}".strip() or "no distribution"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRecord(PluginRecord):
    """One entry point of the group `regstack.backends`.

    Attributes:
        url_schemes: schemes of database URLs that it takes.
        capabilities: what its backend offers at its best.
        driver: the driver's distribution name.
    """

    url_schemes: tuple[str, ...] = ()
    capabilities: frozenset[Capability] = frozenset()
    driver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportRecord(PluginRecord):
    """One entry point of the group `regstack.transports`.

    Attributes:
        kind: what it carries, None where the plugin could not tell.
        library: distribution name of the library that it needs.
    """

    kind: TransportKind | None = None
    library: str = ""
