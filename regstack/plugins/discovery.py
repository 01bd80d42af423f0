"""Finds the plugins of one group of entry points, and checks and isolates each.

The only importer of `importlib_metadata`. Nothing is kept at module level: every discovery looks
for itself, so two of them may see different environments.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import importlib_metadata
import pluggy

from regstack.plugins import specs
from regstack.plugins.record import PluginRecord, PluginState
from regstack.plugins.redaction import last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from regstack.errors import PluginError

STRICT_VARIABLE: Final = "REGSTACK_STRICT_PLUGINS"
"""Environment variable that makes every plugin that is not ok fatal."""

R = TypeVar("R", bound=PluginRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginGroup(Generic[R]):
    """What sets the plugins of one group apart from those of another.

    Attributes:
        name: the group of entry points.
        noun: what messages call such a plugin.
        disable_variable: environment variable with the names of plugins to leave out, separated
            by commas.
        info: the hook by which one describes itself.
        info_type: the class of the description.
        info_types: what the description is made of, by attribute.
        record: the class of the records.
        unusable: the error that says that one cannot be used.
        described: gives the record with what the plugin says of itself.
        fault: says what is wrong with a plugin that describes itself well, empty if nothing is.
        clash: says what of a plugin an earlier one has already, empty if nothing.
    """

    name: str
    noun: str
    disable_variable: str
    info: str
    info_type: type[Any]
    info_types: Mapping[str, type[Any]]
    record: type[R]
    unusable: type[PluginError]
    described: Callable[[R, Any], R]
    fault: Callable[[R], str]
    clash: Callable[[R, R], str]


def is_strict(environ: Mapping[str, str]) -> bool:
    """Say whether the environment asks for every plugin to be ok."""
    return environ.get(STRICT_VARIABLE, "").strip().lower() not in {"", "0", "false", "no", "off"}


def discover(group: PluginGroup[R], environ: Mapping[str, str] | None = None) -> tuple[R, ...]:
    """Load every entry point of the group, each on its own.

    Those of regstack itself are taken first, then in the order of their names and distributions, so
    that the same installation always gives the same records, and nobody takes a shipped name.

    Args:
        group: which plugins.
        environ: where the two variables are read from, without it `os.environ`.

    Raises:
        PluginError: a plugin is not ok, and `REGSTACK_STRICT_PLUGINS` is set.
    """
    environ = os.environ if environ is None else environ
    blocked = {name.strip() for name in environ.get(group.disable_variable, "").split(",")} - {""}
    records: list[R] = []
    for entry_point, found in sorted(_entry_points(group), key=_place):
        record = found if found.name in blocked else _load(group, entry_point, found)
        if record.name in blocked:
            record = _blocked(group, record)
        records.append(_refuse_duplicate(group, record, records))
    if is_strict(environ):
        _refuse_unusable(group, records)
    return tuple(records)


def unusable(group: PluginGroup[R], record: R, role: str) -> str:
    """Say why a plugin cannot play its role, and what to do."""
    state = "" if record.state is PluginState.OK else f" and is {record.state}"
    return (
        f"the {group.noun} {record.name!r} ({record.origin}) {role}{state}: "
        f"{record.reason}. {record.next_step}"
    )


def failed(group: PluginGroup[R], record: R, error: BaseException, reason: str) -> R:
    """Give the record of a plugin that raised, with what to do about that."""
    distribution = record.distribution
    next_step = (
        f"Install it again with what it needs: pip install --force-reinstall {distribution}"
        if isinstance(error, ImportError)
        else f"Upgrade it (pip install --upgrade {distribution}), remove it (pip uninstall {distribution}), "
        f"or leave it out with {group.disable_variable}."
    )
    return replace(record, reason=reason, next_step=next_step)


def listed(records: Iterable[R], more: Callable[[R], str]) -> str:
    """Name plugins with their states in one line, for messages.

    Args:
        records: which.
        more: gives what else is said of one.
    """
    told = (f"{record.name} ({record.state}, {record.origin}{more(record)})" for record in records)
    return "; ".join(told) or "none"


def _entry_points(group: PluginGroup[R]) -> Iterator[tuple[Any, R]]:
    """Give every entry point, with the record that it has as long as nothing is wrong with it."""
    try:
        found = list(importlib_metadata.entry_points(group=group.name))
    except Exception:  # noqa: BLE001 - one unreadable entry_points.txt must not hide all the others
        found = _readable_entry_points(group.name)
    for entry_point in found:
        distribution, version = _identity(entry_point.dist)
        yield (
            entry_point,
            group.record(
                name=entry_point.name,
                state=PluginState.OK,
                distribution=distribution,
                version=version,
                entry_point=entry_point.value,
            ),
        )


def _place(found: tuple[Any, PluginRecord]) -> tuple[bool, str, str, str]:
    record = found[1]
    return record.distribution != specs.PROJECT, record.name, record.distribution, record.entry_point


def _readable_entry_points(group: str) -> list[Any]:
    found: list[Any] = []
    seen: set[str] = set()
    for distribution in importlib_metadata.distributions():
        name = re.sub(r"[-_.]+", "-", _identity(distribution)[0]).lower()
        try:
            entry_points = list(distribution.entry_points)
        except Exception:  # noqa: BLE001, S112 - whose it is cannot be told; pip check shows it
            continue
        if name not in seen:
            seen.add(name)
            found += [each for each in entry_points if each.group == group]
    return found


def _identity(distribution: Any) -> tuple[str, str]:
    """Give name and version, empty where the distribution has no readable metadata."""
    try:
        metadata = distribution.metadata  # read and parsed each time it is asked for
        return (metadata["Name"] or "", metadata["Version"] or "")
    except Exception:  # noqa: BLE001 - any fault of foreign metadata means the same here
        return ("", "")


def _blocked(group: PluginGroup[R], record: R) -> R:
    return replace(
        record,
        state=PluginState.BLOCKED,
        reason=f"{group.disable_variable} names it",
        next_step=f"Take {record.name!r} out of {group.disable_variable} to use it.",
    )


def _load(group: PluginGroup[R], entry_point: Any, record: R) -> R:
    """Import, register and verify one plugin; whatever goes wrong becomes its record."""
    try:
        return _verified(group, entry_point, record)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin that calls sys.exit() must not end the host
        broken = replace(record, state=PluginState.BROKEN, error=error)
        return failed(group, broken, error, last_line(error))


def _verified(group: PluginGroup[R], entry_point: Any, record: R) -> R:
    manager = pluggy.PluginManager(specs.PROJECT)
    manager.add_hookspecs(specs)
    manager.register(entry_point.load(), record.name)
    info = getattr(manager.hook, group.info)()
    broken = replace(
        record,
        state=PluginState.BROKEN,
        next_step=f"Upgrade it (pip install --upgrade {record.distribution}), or report it to its authors.",
    )
    if malformed := _malformed(group, info):
        return replace(broken, reason=malformed)
    described = group.described(replace(record, api_version=info.api_version, hooks=manager.hook), info)
    if info.api_version != specs.API_VERSION:
        older = record.distribution if info.api_version < specs.API_VERSION else "regstack"
        return replace(
            described,
            state=PluginState.INCOMPATIBLE,
            reason=f"it is written for plugin API {info.api_version}, this regstack has {specs.API_VERSION}",
            next_step=f"Upgrade the older of the two: pip install --upgrade {older}",
        )
    fault = _unknown_hooks(manager) or group.fault(described)
    if fault:
        return replace(described, state=PluginState.BROKEN, reason=fault, next_step=broken.next_step)
    return described


def _malformed(group: PluginGroup[Any], info: Any) -> str:
    """Say what of a description is of another type than it must be, empty if nothing is."""
    expected = group.info_type.__name__
    if info is None:
        return f"it does not implement the hook {group.info}"
    if not isinstance(info, group.info_type):
        return f"its {group.info} returned {type(info).__name__}, not a {expected}"
    wrong = [name for name, type_ in group.info_types.items() if not isinstance(getattr(info, name), type_)]
    return f"its {expected} has the wrong type of {', '.join(wrong)}" if wrong else ""


def _unknown_hooks(manager: pluggy.PluginManager) -> str:
    unknown = sorted(
        name
        for name, caller in vars(manager.hook).items()
        if isinstance(caller, pluggy.HookCaller)
        and not caller.has_spec()
        and any(not implementation.optionalhook for implementation in caller.get_hookimpls())
    )
    return f"it implements unknown hooks: {', '.join(unknown)}" if unknown else ""


def _refuse_duplicate(group: PluginGroup[R], record: R, earlier: list[R]) -> R:
    if record.state is not PluginState.OK:
        return record
    for other in earlier:
        if other.state is PluginState.OK and (taken := group.clash(record, other)):
            return replace(
                record,
                state=PluginState.DUPLICATE,
                reason=f"the {taken} is taken by {other.origin} ({other.entry_point})",
                next_step=f"Uninstall one of the two: pip uninstall {record.distribution}, "
                f"or pip uninstall {other.distribution}",
            )
    return record


def _refuse_unusable(group: PluginGroup[R], records: list[R]) -> None:
    refused = [record for record in records if record.state is not PluginState.OK]
    if refused:
        lines = "\n".join(unusable(group, record, "must be ok") for record in refused)
        raise group.unusable(f"{STRICT_VARIABLE} is set, and:\n{lines}") from refused[0].error
