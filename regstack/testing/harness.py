"""What the suite must know about a backend in order to test it."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import tempfile
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from regstack.auth.clock import FrozenClock
from regstack.config.schema import RegStackConfig
from regstack.errors import ConfigurationError, RegStackError
from regstack.testing.proxy import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from types import ModuleType

    from regstack.auth.clock import Clock
    from regstack.backends.base import Backend

_END_OF_TIME = datetime(2900, 1, 1, tzinfo=UTC)
_MOST_USERS_TO_DELETE = 100


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What another process needs to open the namespace that is current.

    Attributes:
        settings: keyword arguments of `RegStackConfig`, `database_url` among them.
    """

    settings: Mapping[str, Any]


@dataclass(slots=True)
class StatementCount:
    """Messages that went to the server while it was counted.

    Attributes:
        statements: each as far as it is known; BEGIN, COMMIT and pool resets count.
    """

    statements: list[str] = field(default_factory=list)


class ServerControl(Protocol):
    """A server that the suite may kill: it must be the harness's own."""

    def kill(self) -> None:
        """End it at once, as a power cut would."""

    def start(self) -> object:
        """Start it on the same port with the same data, and wait until it takes connections."""


class Harness(ABC):
    """Opens one kind of backend, in namespaces that the suite has for itself.

    A namespace is whatever keeps two databases apart: a file, a schema, a table prefix. One of
    them is current; several backends may be open over it.

    Attributes:
        kind: the backend's `kind`.
        known_failures: reasons by name of the test (`test_…`, with or without parameters). Such
            a test must fail; the run fails when it passes.
        server: what the suite may kill and start again; None where it must not, and then the tests
            that need it are `not checked`.
    """

    kind: str
    known_failures: Mapping[str, str] = {}
    server: ServerControl | None = None

    @abstractmethod
    async def renew(self) -> None:
        """Make a namespace current that holds nothing, not even a schema."""

    @abstractmethod
    async def open(self, clock: Clock, **settings: Any) -> Backend:
        """Build a new instance, with connections of its own, over the current namespace.

        Args:
            clock: where it takes the time from.
            **settings: of `RegStackConfig`, in place of the harness's own.
        """

    async def fresh(self, clock: Clock) -> None:
        """Make a namespace current that holds the schema and nothing else.

        Called before every test. Override it where something is faster than a new namespace.
        """
        await self.renew()
        backend = await self.open(clock)
        try:
            await backend.install_schema()
        finally:
            await backend.aclose()

    def process_spec(self) -> ProcessSpec | None:
        """Say how another process opens the current namespace; None where none can."""
        return None

    def address(self) -> Address | None:
        """Say where the server listens, so that the suite can put its proxy before it.

        None where there is no server, or none that one connection leads to; then the tests that
        break connections are `not checked`.
        """
        return None

    def settings_through(self, address: Address) -> Mapping[str, Any]:
        """Give the settings that lead to the current namespace by way of another address."""
        raise NotImplementedError(f"{type(self).__name__} has an address(), and no settings_through()")

    def is_upkeep(self, request: bytes) -> bool:
        """Say whether the driver sends this request by itself, to watch the server for example.

        Such requests do not count as round trips of an operation.
        """
        return False

    def count_statements(
        self,
        backend: Backend,
    ) -> AbstractContextManager[StatementCount] | None:
        """Count the statements of an instance while the context is open.

        None where they are not known; then round trips are counted on the wire, if there is an
        `address`.
        """
        return None

    def close(self) -> None:  # noqa: B027 - there may be nothing to remove
        """Remove what was made, at the end of the run."""


class UrlHarness(Harness):
    """Opens whatever backend takes a database URL, through the plugin registry.

    Namespaces are table prefixes. One is emptied by the backend's own operations and used again,
    unless a test left more than those can take away; then it is dropped, and so is the last one.

    Args:
        url: the database URL; `{tmp}` in it becomes a temporary folder, `{unique}` a random word.
        kind: the backend's name, without it whichever plugin takes the URL.

    Raises:
        ConfigurationError: another backend takes the URL.
    """

    def __init__(self, url: str, kind: str | None = None) -> None:
        self._folder: str | None = None
        if "{tmp}" in url:
            self._folder = tempfile.mkdtemp(prefix="regstack-contract-")
            url = url.replace("{tmp}", self._folder)
        self._url = url.replace("{unique}", secrets.token_hex(6))
        self._settings: dict[str, Any] | None = None
        self._dirty = False
        self._open = opener()
        self._expected_kind = kind
        self.kind = kind or "unknown"

    async def renew(self) -> None:
        """Drop the namespace, and take a prefix that nobody has used."""
        await self._drop()
        self._settings = {"database_url": self._url, "table_prefix": f"t{secrets.token_hex(5)}_"}

    async def open(self, clock: Clock, **settings: Any) -> Backend:
        """Build an instance through the registry."""
        if self._settings is None:
            await self.renew()
        backend = self._open({**(self._settings or {}), **settings}, clock)
        if self._expected_kind is not None and backend.kind != self._expected_kind:
            raise ConfigurationError(
                f"the URL belongs to {backend.kind!r}, and --regstack-backend says {self._expected_kind!r}"
            )
        self.kind = backend.kind
        self._dirty = True
        return backend

    async def fresh(self, clock: Clock) -> None:
        """Empty the namespace, or go to a new one."""
        if self._settings is not None:
            backend = await self.open(clock)
            try:
                if await self.emptied(backend):
                    return
            except RegStackError:
                pass
            finally:
                await backend.aclose()
        await super().fresh(clock)

    async def emptied(self, backend: Backend) -> bool:
        """Delete everything, and say whether that worked."""
        if await backend.users.count(is_superuser=True, is_active=True):
            return False
        users = await backend.users.list_page(limit=_MOST_USERS_TO_DELETE + 1)
        if len(users) > _MOST_USERS_TO_DELETE:
            return False
        for user in users:
            await backend.users.delete(user.id)
        await backend.purge_expired(_END_OF_TIME, grace=timedelta())
        return await backend.users.count() == 0 and await backend.pending.count_unexpired() == 0

    def process_spec(self) -> ProcessSpec | None:
        """Give the settings of the current namespace."""
        return ProcessSpec(self._settings) if self._settings is not None else None

    def address(self) -> Address | None:
        """Give host and port of the URL, where it names one of each."""
        parts = urlsplit(self._url)
        one = "," not in parts.netloc and not parts.scheme.endswith("+srv")
        return Address(parts.hostname, parts.port) if one and parts.hostname and parts.port else None

    def settings_through(self, address: Address) -> Mapping[str, Any]:
        """Put the address in the place of the URL's."""
        parts = urlsplit(self._url)
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        url = parts._replace(netloc=f"{user}{address.host}:{address.port}").geturl()
        return {**(self._settings or {}), "database_url": url}

    async def _drop(self) -> None:
        """Drop what `install_schema` made in the current namespace."""
        if self._settings is None or not self._dirty:
            return
        backend = self._open(self._settings, FrozenClock(_END_OF_TIME))
        try:
            await backend.drop_schema()
            self._dirty = False
        finally:
            await backend.aclose()

    def close(self) -> None:
        """Drop the namespace that is left, and remove the temporary folder."""
        if self._folder is None:
            try:
                asyncio.run(self._drop())
            except RegStackError as error:
                prefix = (self._settings or {}).get("table_prefix")
                warnings.warn(f"what begins with {prefix} is left in the database: {error}", stacklevel=2)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def opener() -> Callable[[Mapping[str, Any], Clock], Backend]:
    """Look for plugins once, and give what builds the backend of some settings."""
    from regstack.plugins.registry import PluginRegistry  # noqa: PLC0415 - not every harness needs it

    registry = PluginRegistry.discover()
    return lambda settings, clock: registry.create_backend(RegStackConfig(**settings), clock)


def load_harness(reference: str) -> Harness:
    """Make the harness that `package.module:Name` or `path/to/file.py:Name` names.

    Raises:
        ConfigurationError: there is none.
    """
    home, _, name = reference.rpartition(":")
    if not home:
        raise ConfigurationError(f"write the harness as module:Name or file.py:Name, not {reference!r}")
    try:
        module = _imported(home)
    except (ImportError, OSError) as error:
        raise ConfigurationError(f"the harness {reference!r} cannot be imported: {error}") from error
    made = getattr(module, name, None)
    if not (isinstance(made, type) and issubclass(made, Harness)):
        raise ConfigurationError(
            f"{reference!r} is not a class derived from regstack.testing.harness.Harness"
        )
    harness: Harness = made()
    return harness


def _imported(home: str) -> ModuleType:
    if home.endswith(".py"):
        spec = spec_from_file_location(f"regstack_harness_{Path(home).stem}", home)
        if spec is None or spec.loader is None:
            raise ImportError(f"{home} is no Python file")
        module = sys.modules[spec.name] = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    return import_module(home)
