"""Finds the backend plugins, checks and isolates each, and calls the one that is configured.

The only importer of `importlib_metadata`. Nothing is kept at module level: every registry looks
for itself, so two of them may see different environments.
"""

from __future__ import annotations

import os
import re
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, cast

import importlib_metadata
import pluggy

from regstack.backends.base import Backend, BackendInfo
from regstack.errors import BackendNotInstalled, BackendPluginUnusable, ConfigurationError, RegStackError
from regstack.plugins import specs
from regstack.plugins.install_hints import backend_name, install_hint
from regstack.plugins.record import PluginRecord, PluginState
from regstack.plugins.redaction import last_line, quotes_secrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping

    from regstack.auth.clock import Clock
    from regstack.backends.base import PingReport, SchemaReport
    from regstack.config.schema import RegStackConfig

DISABLE_VARIABLE: Final = "REGSTACK_DISABLE_BACKENDS"
"""Environment variable with the names of plugins to leave out, separated by commas."""

STRICT_VARIABLE: Final = "REGSTACK_STRICT_PLUGINS"
"""Environment variable that makes every plugin that is not ok fatal."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def is_strict(environ: Mapping[str, str]) -> bool:
    """Say whether the environment asks for every plugin to be ok."""
    return environ.get(STRICT_VARIABLE, "").strip().lower() not in {"", "0", "false", "no", "off"}


class PluginRegistry:
    """The plugins of one environment, as `discover` found them.

    Args:
        records: one for each entry point; names and schemes of those that are ok are unique.

    Attributes:
        records: as given.
    """

    def __init__(self, records: tuple[PluginRecord, ...]) -> None:
        self.records = records
        self._makers: weakref.WeakKeyDictionary[Backend, PluginRecord] = weakref.WeakKeyDictionary()

    @classmethod
    def discover(cls, *, environ: Mapping[str, str] | None = None) -> Self:
        """Load every entry point of the group, each on its own.

        Entry points are taken in the order of their names, then of their distributions, so that
        the same installation always gives the same records.

        Args:
            environ: where the two variables are read from, without it `os.environ`.

        Raises:
            BackendPluginUnusable: a plugin is not ok, and `REGSTACK_STRICT_PLUGINS` is set.
        """
        environ = os.environ if environ is None else environ
        blocked = {name.strip() for name in environ.get(DISABLE_VARIABLE, "").split(",")} - {""}
        records: list[PluginRecord] = []
        for entry_point, found in sorted(_entry_points(), key=_place):
            record = found if found.name in blocked else _load(entry_point, found)
            if record.name in blocked:
                record = _blocked(record)
            records.append(_refuse_duplicate(record, records))
        if is_strict(environ):
            _refuse_unusable(records)
        return cls(tuple(records))

    def create_backend(self, config: RegStackConfig, clock: Clock) -> Backend:
        """Let the one plugin that takes the database URL build its backend; no other is called.

        Args:
            config: settings of the instance.
            clock: where the backend takes the time from.

        Raises:
            ConfigurationError: `database_url` has no scheme, or the plugin refuses the settings.
            BackendNotInstalled: no plugin takes the scheme.
            BackendPluginUnusable: the plugin that would take it is not ok, or fails.
        """
        url = config.database_url.get_secret_value()
        record = self._pick(_scheme(url, self._schemes()))
        hooks = cast("pluggy.HookRelay", record.hooks)
        try:
            backend = hooks.regstack_create_backend(config=config, clock=clock)
        except RegStackError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a driver raises here, the plugin cannot be used
            # The driver's message may quote the URL; then it must not be shown as the cause either.
            cause = None if quotes_secrets(error, url) else error
            failed = replace(
                record, reason=last_line(error, url), next_step=_next_step(error, record.distribution)
            )
            raise BackendPluginUnusable(_unusable(failed, "could not build its storage")) from cause
        if not isinstance(backend, Backend):
            failed = replace(
                record,
                reason=f"regstack_create_backend returned {type(backend).__name__}, not a Backend",
                next_step=f"Report it to the authors of {record.origin}.",
            )
            raise BackendPluginUnusable(_unusable(failed, "could not build its storage"))
        self._makers[backend] = record
        return backend

    async def install_schema(self, backend: Backend) -> SchemaReport:
        """Bring the schema up to date, through the plugin's hook if it has one.

        Args:
            backend: one that this registry created, or that the host made.
        """
        found = self._hook_of(backend, "regstack_install_schema")
        return await (
            cast("Awaitable[SchemaReport]", found) if found is not None else backend.install_schema()
        )

    async def ping(self, backend: Backend) -> PingReport:
        """Ask the server for a sign of life, through the plugin's hook if it has one.

        Args:
            backend: one that this registry created, or that the host made.

        Raises:
            BackendUnavailable: it cannot be reached.
            BackendTimeout: it did not answer within the deadline.
        """
        found = self._hook_of(backend, "regstack_ping")
        return await (cast("Awaitable[PingReport]", found) if found is not None else backend.ping())

    def _hook_of(self, backend: Backend, name: str) -> object | None:
        maker = self._makers.get(backend)
        return None if maker is None else getattr(maker.hooks, name)(backend=backend)

    def _schemes(self) -> list[str]:
        ok = (record for record in self.records if record.state is PluginState.OK)
        return [scheme for record in ok for scheme in record.url_schemes]

    def _pick(self, scheme: str) -> PluginRecord:
        takers = [record for record in self.records if scheme in record.url_schemes]
        usable = [record for record in takers if record.state is PluginState.OK]
        if usable:
            return usable[0]
        # A plugin that could not be loaded did not tell its schemes; its name is all there is.
        name = backend_name(scheme)
        takers += [record for record in self.records if not record.url_schemes and record.name == name]
        if takers:
            raise BackendPluginUnusable(_unusable(takers[0], f"takes {scheme}:// URLs")) from takers[0].error
        raise BackendNotInstalled(
            f"no installed backend takes {scheme}:// URLs. {install_hint(scheme)} "
            f"Installed: {self._installed()}. `regstack doctor --list-backends` shows more."
        )

    def _installed(self) -> str:
        return (
            "; ".join(
                f"{record.name} ({record.state}, {record.origin}"
                + "".join(f", {scheme}://" for scheme in record.url_schemes)
                + ")"
                for record in self.records
            )
            or "none"
        )


def _entry_points() -> Iterator[tuple[Any, PluginRecord]]:
    """Give every entry point, with the record that it has as long as nothing is wrong with it."""
    try:
        found = list(importlib_metadata.entry_points(group=specs.GROUP))
    except Exception:  # noqa: BLE001 - one unreadable entry_points.txt must not hide all the others
        found = _readable_entry_points()
    for entry_point in found:
        distribution, version = _identity(entry_point.dist)
        yield (
            entry_point,
            PluginRecord(
                name=entry_point.name,
                state=PluginState.OK,
                distribution=distribution,
                version=version,
                entry_point=entry_point.value,
            ),
        )


def _place(found: tuple[Any, PluginRecord]) -> tuple[str, str, str]:
    record = found[1]
    return record.name, record.distribution, record.entry_point


def _readable_entry_points() -> list[Any]:
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
            found += [each for each in entry_points if each.group == specs.GROUP]
    return found


def _identity(distribution: Any) -> tuple[str, str]:
    """Give name and version, empty where the distribution has no readable metadata."""
    try:
        return (distribution.metadata["Name"] or "", distribution.metadata["Version"] or "")
    except Exception:  # noqa: BLE001 - any fault of foreign metadata means the same here
        return ("", "")


def _blocked(record: PluginRecord) -> PluginRecord:
    return replace(
        record,
        state=PluginState.BLOCKED,
        reason=f"{DISABLE_VARIABLE} names it",
        next_step=f"Take {record.name!r} out of {DISABLE_VARIABLE} to use it.",
    )


def _load(entry_point: Any, record: PluginRecord) -> PluginRecord:
    """Import, register and verify one plugin; whatever goes wrong becomes its record."""
    try:
        return _verified(entry_point, record)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin that calls sys.exit() must not end the host
        return replace(
            record,
            state=PluginState.BROKEN,
            reason=last_line(error),
            next_step=_next_step(error, record.distribution),
            error=error,
        )


def _verified(entry_point: Any, record: PluginRecord) -> PluginRecord:
    manager = pluggy.PluginManager(specs.PROJECT)
    manager.add_hookspecs(specs)
    manager.register(entry_point.load(), record.name)
    info = manager.hook.regstack_backend_info()
    report = f"Upgrade it (pip install --upgrade {record.distribution}), or report it to its authors."
    if not isinstance(info, BackendInfo):
        return replace(
            record,
            state=PluginState.BROKEN,
            reason="it does not implement the hook regstack_backend_info"
            if info is None
            else f"its regstack_backend_info returned {type(info).__name__}, not a BackendInfo",
            next_step=report,
        )
    if malformed := _malformed(info):
        return replace(record, state=PluginState.BROKEN, reason=malformed, next_step=report)
    described = replace(
        record,
        name=str(info.name),
        api_version=info.api_version,
        url_schemes=info.url_schemes,
        capabilities=info.capabilities,
        summary=info.summary,
        driver=info.driver,
        hooks=manager.hook,
    )
    if info.api_version != specs.API_VERSION:
        older = record.distribution if info.api_version < specs.API_VERSION else "regstack"
        return replace(
            described,
            state=PluginState.INCOMPATIBLE,
            reason=f"it is written for plugin API {info.api_version}, this regstack has {specs.API_VERSION}",
            next_step=f"Upgrade the older of the two: pip install --upgrade {older}",
        )
    fault = _fault(manager, info)
    if fault:
        return replace(described, state=PluginState.BROKEN, reason=fault, next_step=report)
    return described


def _malformed(info: BackendInfo) -> str:
    """Say which part of a description is of another type than it must be, empty if none is."""
    types = {
        "name": str,
        "url_schemes": tuple,
        "api_version": int,
        "capabilities": frozenset,
        "summary": str,
        "driver": str,
    }
    wrong = [name for name, type_ in types.items() if not isinstance(getattr(info, name), type_)]
    if not wrong and not all(isinstance(scheme, str) for scheme in info.url_schemes):
        wrong = ["url_schemes"]
    return f"its BackendInfo has the wrong type of {', '.join(wrong)}" if wrong else ""


def _fault(manager: pluggy.PluginManager, info: BackendInfo) -> str:
    """Say what is wrong with a plugin that could be loaded, empty if nothing is."""
    unknown = sorted(
        name
        for name, caller in vars(manager.hook).items()
        if isinstance(caller, pluggy.HookCaller)
        and not caller.has_spec()
        and any(not implementation.optionalhook for implementation in caller.get_hookimpls())
    )
    if unknown:
        return f"it implements unknown hooks: {', '.join(unknown)}"
    if not manager.hook.regstack_create_backend.get_hookimpls():
        return "it does not implement the hook regstack_create_backend"
    if not info.name or not info.url_schemes:
        return "its BackendInfo has no name or no url_schemes"
    wrong = [scheme for scheme in info.url_schemes if not _SCHEME.fullmatch(scheme)]
    return f"its url_schemes are not lower-case URL schemes: {', '.join(wrong)}" if wrong else ""


def _refuse_duplicate(record: PluginRecord, earlier: list[PluginRecord]) -> PluginRecord:
    if record.state is not PluginState.OK:
        return record
    for other in earlier:
        if other.state is not PluginState.OK:
            continue
        schemes = sorted(set(record.url_schemes) & set(other.url_schemes))
        if record.name == other.name or schemes:
            taken = f"name {record.name!r}" if record.name == other.name else f"scheme {schemes[0]}://"
            return replace(
                record,
                state=PluginState.DUPLICATE,
                reason=f"the {taken} is taken by {other.origin} ({other.entry_point})",
                next_step=f"Uninstall one of the two: pip uninstall {record.distribution}, "
                f"or pip uninstall {other.distribution}",
            )
    return record


def _refuse_unusable(records: list[PluginRecord]) -> None:
    unusable = [record for record in records if record.state is not PluginState.OK]
    if unusable:
        lines = "\n".join(_unusable(record, "must be ok") for record in unusable)
        raise BackendPluginUnusable(f"{STRICT_VARIABLE} is set, and:\n{lines}") from unusable[0].error


def _unusable(record: PluginRecord, role: str) -> str:
    state = "" if record.state is PluginState.OK else f" and is {record.state}"
    return f"the backend {record.name!r} ({record.origin}) {role}{state}: {record.reason}. {record.next_step}"


def _scheme(url: str, installed: list[str]) -> str:
    """Give the URL's scheme in lower case; messages never quote the rest of the URL."""
    scheme, separator, _ = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme.lower()):
        examples = ", ".join(f"{each}://" for each in installed) or "none is installed"
        raise ConfigurationError(
            "database_url has no scheme; write a whole URL, for example sqlite+aiosqlite:///./regstack.db "
            f"(schemes of the installed backends: {examples})"
        )
    return scheme.lower()


def _next_step(error: BaseException, distribution: str) -> str:
    if isinstance(error, ImportError):
        return f"Install it again with what it needs: pip install --force-reinstall {distribution}"
    return (
        f"Upgrade it (pip install --upgrade {distribution}), remove it (pip uninstall {distribution}), "
        f"or leave it out with {DISABLE_VARIABLE}."
    )
