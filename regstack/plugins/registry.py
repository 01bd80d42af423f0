"""Picks the backend plugin that takes the database URL, and calls that one alone."""

from __future__ import annotations

import re
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self, cast

from regstack.backends.base import Backend, BackendInfo
from regstack.errors import BackendNotInstalled, BackendPluginUnusable, ConfigurationError, RegStackError
from regstack.plugins import discovery, specs
from regstack.plugins.install_hints import backend_name, install_hint
from regstack.plugins.record import BackendRecord, PluginState
from regstack.plugins.redaction import last_line, quotes_secrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    import pluggy

    from regstack.auth.clock import Clock
    from regstack.backends.base import PingReport, SchemaReport
    from regstack.config.schema import RegStackConfig

DISABLE_VARIABLE: Final = "REGSTACK_DISABLE_BACKENDS"
"""Environment variable with the names of plugins to leave out, separated by commas."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def _described(record: BackendRecord, info: BackendInfo) -> BackendRecord:
    """Give the record with what the plugin says of itself."""
    return replace(
        record,
        name=str(info.name),
        url_schemes=info.url_schemes,
        capabilities=info.capabilities,
        summary=info.summary,
        driver=info.driver,
    )


def _fault(record: BackendRecord) -> str:
    """Say what is wrong with a plugin that describes itself well, empty if nothing is."""
    hooks = cast("pluggy.HookRelay", record.hooks)
    if not all(isinstance(scheme, str) for scheme in record.url_schemes):
        return "its BackendInfo has the wrong type of url_schemes"
    if not hooks.regstack_create_backend.get_hookimpls():
        return "it does not implement the hook regstack_create_backend"
    if not record.name or not record.url_schemes:
        return "its BackendInfo has no name or no url_schemes"
    wrong = [scheme for scheme in record.url_schemes if not _SCHEME.fullmatch(scheme)]
    return f"its url_schemes are not lower-case URL schemes: {', '.join(wrong)}" if wrong else ""


def _clash(record: BackendRecord, other: BackendRecord) -> str:
    """Say what of this plugin an earlier one has already, empty if nothing."""
    if record.name == other.name:
        return f"name {record.name!r}"
    schemes = sorted(set(record.url_schemes) & set(other.url_schemes))
    return f"scheme {schemes[0]}://" if schemes else ""


_GROUP: Final = discovery.PluginGroup(
    name=specs.GROUP,
    noun="backend",
    disable_variable=DISABLE_VARIABLE,
    info="regstack_backend_info",
    info_type=BackendInfo,
    info_types={
        "name": str,
        "url_schemes": tuple,
        "api_version": int,
        "capabilities": frozenset,
        "summary": str,
        "driver": str,
    },
    record=BackendRecord,
    unusable=BackendPluginUnusable,
    described=_described,
    fault=_fault,
    clash=_clash,
)


class PluginRegistry:
    """The plugins of one environment, as `discover` found them.

    Args:
        records: one for each entry point; names and schemes of those that are ok are unique.

    Attributes:
        records: as given.
    """

    def __init__(self, records: tuple[BackendRecord, ...]) -> None:
        self.records = records
        self._makers: weakref.WeakKeyDictionary[Backend, BackendRecord] = weakref.WeakKeyDictionary()

    @classmethod
    def discover(cls, *, environ: Mapping[str, str] | None = None) -> Self:
        """Load every entry point of the group, each on its own.

        Args:
            environ: where the two variables are read from, without it `os.environ`.

        Raises:
            BackendPluginUnusable: a plugin is not ok, and `REGSTACK_STRICT_PLUGINS` is set.
        """
        return cls(discovery.discover(_GROUP, environ))

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
            failed = discovery.failed(_GROUP, record, error, last_line(error, url))
            raise BackendPluginUnusable(
                discovery.unusable(_GROUP, failed, "could not build its storage")
            ) from cause
        if not isinstance(backend, Backend):
            failed = replace(
                record,
                reason=f"regstack_create_backend returned {type(backend).__name__}, not a Backend",
                next_step=f"Report it to the authors of {record.origin}.",
            )
            raise BackendPluginUnusable(discovery.unusable(_GROUP, failed, "could not build its storage"))
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

    def _pick(self, scheme: str) -> BackendRecord:
        takers = [record for record in self.records if scheme in record.url_schemes]
        usable = [record for record in takers if record.state is PluginState.OK]
        if usable:
            return usable[0]
        # A plugin that could not be loaded did not tell its schemes; its name is all there is.
        name = backend_name(scheme)
        takers += [record for record in self.records if not record.url_schemes and record.name == name]
        if takers:
            told = discovery.unusable(_GROUP, takers[0], f"takes {scheme}:// URLs")
            raise BackendPluginUnusable(told) from takers[0].error
        raise BackendNotInstalled(
            f"no installed backend takes {scheme}:// URLs. {install_hint(scheme)} "
            f"Installed: {discovery.listed(self.records, _urls)}. "
            "`regstack doctor --list-backends` shows more."
        )


def _urls(record: BackendRecord) -> str:
    return "".join(f", {scheme}://" for scheme in record.url_schemes)


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
