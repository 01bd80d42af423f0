"""The hooks that a plugin implements.

A plugin is a module (or object) named by an entry point, whose functions carry `@regstack.hookimpl`.
One of the group `regstack.backends` brings storage, one of the group `regstack.transports` a way for
mails or text messages. Hooks are called at start-up and by the command line only;
a request never passes through one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from regstack.auth.clock import Clock
    from regstack.backends.base import Backend, BackendInfo, PingReport, SchemaReport
    from regstack.config.schema import EmailConfig, RegStackConfig, SmsConfig
    from regstack.email.service import EmailService
    from regstack.sms.service import SmsService
    from regstack.transports.info import TransportInfo

PROJECT = "regstack"
GROUP = "regstack.backends"
TRANSPORT_GROUP = "regstack.transports"

API_VERSION = 1
"""Version of the hooks in this file; a plugin states the one it was written for."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def regstack_backend_info() -> BackendInfo | None:
    """Describe the backend.

    Must import neither a driver nor pydantic: `regstack doctor --list-backends` calls it for
    every installed plugin.

    Returns:
        The backend's name, URL schemes, API version, capabilities, summary and driver.

    Since: 1.0
    """


@hookspec(firstresult=True)
def regstack_create_backend(config: RegStackConfig, clock: Clock) -> Backend | None:
    """Build a backend for `config.database_url`, without I/O.

    The driver is imported here, inside the body.

    Args:
        config: the settings of the instance.
        clock: where it takes the time from.

    Returns:
        The backend, not yet connected.

    Since: 1.0
    """


@hookspec(firstresult=True)
def regstack_install_schema(backend: Backend) -> Awaitable[SchemaReport] | None:
    """Bring the schema up to date; optional, since the default calls `backend.install_schema()`.

    Args:
        backend: one that this plugin created.

    Returns:
        An awaitable of what was changed.

    Since: 1.0
    """


@hookspec(firstresult=True)
def regstack_ping(backend: Backend) -> Awaitable[PingReport] | None:
    """Ask the server for a sign of life; optional, since the default calls `backend.ping()`.

    Args:
        backend: one that this plugin created.

    Returns:
        An awaitable of round-trip time and server version.

    Since: 1.0
    """


@hookspec(firstresult=True)
def regstack_transport_info() -> TransportInfo | None:
    """Describe the transport.

    Must import neither its library nor pydantic: `regstack doctor --list-transports` calls it for
    every installed plugin.

    Returns:
        The transport's name, kind, API version, summary and library.

    Since: 1.0
    """


@hookspec(firstresult=True)
def regstack_create_email_service(config: EmailConfig) -> EmailService | None:
    """Build a mail transport, without I/O; for transports of the kind `email`.

    The library is imported here, inside the body.

    Args:
        config: the section `email` of the settings; what is the transport's own is in `options`.

    Returns:
        The transport, connected to nothing.

    Raises:
        ConfigurationError: a setting is missing or wrong, or the library is not installed.

    Since: 1.0
    """


@hookspec(firstresult=True)
def regstack_create_sms_service(config: SmsConfig) -> SmsService | None:
    """Build a transport of text messages, without I/O; for transports of the kind `sms`.

    The library is imported here, inside the body.

    Args:
        config: the section `sms` of the settings; what is the transport's own is in `options`.

    Returns:
        The transport, connected to nothing.

    Raises:
        ConfigurationError: a setting is missing or wrong, or the library is not installed.

    Since: 1.0
    """
