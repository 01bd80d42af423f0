"""Picks the transport plugins that the settings name, and calls those alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, cast

from regstack.errors import RegStackError, TransportNotInstalled, TransportPluginUnusable
from regstack.models.line import one_line
from regstack.plugins import discovery, specs
from regstack.plugins.install_hints import transport_hint
from regstack.plugins.record import PluginState, TransportRecord
from regstack.plugins.redaction import last_line
from regstack.transports.info import TransportInfo, TransportKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regstack.config.schema import EmailConfig, SmsConfig
    from regstack.email.service import EmailService
    from regstack.sms.service import SmsService

DISABLE_VARIABLE: Final = "REGSTACK_DISABLE_TRANSPORTS"
"""Environment variable with the names of plugins to leave out, separated by commas."""

_MAKERS: Final = {
    TransportKind.EMAIL: "regstack_create_email_service",
    TransportKind.SMS: "regstack_create_sms_service",
}
"""The hook that builds a transport, by its kind."""


def _described(record: TransportRecord, info: TransportInfo) -> TransportRecord:
    """Give the record with what the plugin says of itself."""
    return replace(record, name=info.name, kind=info.kind, summary=info.summary, library=info.library)


def _fault(record: TransportRecord) -> str:
    """Say what is wrong with a plugin that describes itself well, empty if nothing is."""
    maker = _MAKERS[cast("TransportKind", record.kind)]
    if not getattr(record.hooks, maker).get_hookimpls():
        return f"it does not implement the hook {maker}"
    return "" if record.name else "its TransportInfo has no name"


def _clash(record: TransportRecord, other: TransportRecord) -> str:
    """Say what of this plugin an earlier one has already, empty if nothing."""
    taken = (record.kind, record.name) == (other.kind, other.name)
    return f"{record.kind} transport {record.name!r}" if taken else ""


_GROUP: Final = discovery.PluginGroup(
    name=specs.TRANSPORT_GROUP,
    noun="transport",
    disable_variable=DISABLE_VARIABLE,
    info="regstack_transport_info",
    info_type=TransportInfo,
    info_types={
        "name": str,
        "kind": TransportKind,
        "api_version": int,
        "summary": str,
        "library": str,
    },
    record=TransportRecord,
    unusable=TransportPluginUnusable,
    described=_described,
    fault=_fault,
    clash=_clash,
)


class TransportRegistry:
    """The transport plugins of one environment, as `discover` found them.

    Args:
        records: one for each entry point; names of those that are ok are unique in their kind.

    Attributes:
        records: as given.
    """

    def __init__(self, records: tuple[TransportRecord, ...]) -> None:
        self.records = records

    @classmethod
    def discover(cls, *, environ: Mapping[str, str] | None = None) -> Self:
        """Load every entry point of the group, each on its own.

        Args:
            environ: where the two variables are read from, without it `os.environ`.

        Raises:
            TransportPluginUnusable: a plugin is not ok, and `REGSTACK_STRICT_PLUGINS` is set.
        """
        return cls(discovery.discover(_GROUP, environ))

    def create_email_service(self, config: EmailConfig) -> EmailService:
        """Let the one plugin that `email.backend` names build its transport; no other is called.

        Raises:
            ConfigurationError: the plugin refuses the settings, or its library is not installed.
            TransportNotInstalled: no plugin has the name.
            TransportPluginUnusable: the plugin that has it is not ok, or fails.
        """
        return cast("EmailService", self._create(TransportKind.EMAIL, config))

    def create_sms_service(self, config: SmsConfig) -> SmsService:
        """Let the one plugin that `sms.backend` names build its transport; no other is called.

        Raises:
            ConfigurationError: the plugin refuses the settings, or its library is not installed.
            TransportNotInstalled: no plugin has the name.
            TransportPluginUnusable: the plugin that has it is not ok, or fails.
        """
        return cast("SmsService", self._create(TransportKind.SMS, config))

    def _create(self, kind: TransportKind, config: EmailConfig | SmsConfig) -> Any:
        record = self._pick(kind, config.backend)
        maker = _MAKERS[kind]
        role = "could not be built"
        try:
            service = getattr(record.hooks, maker)(config=config)
        except RegStackError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library raises here, the plugin cannot be used
            # Its message may quote a setting, and any of them may be a secret: only its type is told.
            safe = error if isinstance(error, ImportError) else None
            broken = discovery.failed(
                _GROUP, record, error, last_line(safe) if safe is not None else type(error).__name__
            )
            raise TransportPluginUnusable(discovery.unusable(_GROUP, broken, role)) from safe
        if not callable(getattr(service, "send", None)):
            broken = replace(
                record,
                reason=f"{maker} returned {type(service).__name__}, which has no method `send`",
                next_step=f"Report it to the authors of {record.origin}.",
            )
            raise TransportPluginUnusable(discovery.unusable(_GROUP, broken, role))
        return service

    def _pick(self, kind: TransportKind, name: str) -> TransportRecord:
        named = [record for record in self.records if record.name == name]
        of_kind = [record for record in named if record.kind is kind]
        usable = [record for record in of_kind if record.state is PluginState.OK]
        if usable:
            return usable[0]
        # A plugin that could not be loaded did not tell its kind; its name is all there is.
        takers = of_kind + [record for record in named if record.kind is None]
        role = f'is asked for by {kind}.backend = "{one_line(name, 60)}"'
        if takers:
            told = discovery.unusable(_GROUP, takers[0], role)
            raise TransportPluginUnusable(told) from takers[0].error
        others = [record for record in self.records if record.kind in {kind, None}]
        confused = f" ({name!r} belongs in {named[0].kind}.backend.)" if named else ""
        raise TransportNotInstalled(
            f'no installed transport takes {kind}.backend = "{one_line(name, 60)}".{confused} '
            f"{transport_hint(one_line(name, 60), kind)} "
            f"Installed: {discovery.listed(others, _library)}. "
            "`regstack doctor --list-transports` shows more."
        )


def _library(record: TransportRecord) -> str:
    return f", with {record.library}" if record.library else ""
