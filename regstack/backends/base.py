"""What a backend is: its lifecycle, its description, and what it may lack.

Imported by every plugin's entry point, so nothing here imports a driver or pydantic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self

from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.errors import UnsupportedCapability

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from regstack.auth.clock import Clock
    from regstack.backends.changes import ChangeFeed
    from regstack.backends.protocols import (
        BlacklistRepoProtocol,
        LoginAttemptRepoProtocol,
        MfaCodeRepoProtocol,
        OAuthIdentityRepoProtocol,
        OAuthStateRepoProtocol,
        PendingRepoProtocol,
        UserRepoProtocol,
    )
    from regstack.config.schema import RegStackConfig
    from regstack.models.finding import Finding


class BackendKind(StrEnum):
    """The `kind` of the backends shipped with regstack; a third party's is its own string."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"
    MONGO = "mongo"


class Capability(StrEnum):
    """What a backend may honestly lack.

    A repository that is not declared raises `UnsupportedCapability`. The contract suite probes
    that; it tests a repository that is declared like all others, and runs its races between two
    processes as well where `MULTI_PROCESS` is declared. `TRANSACTIONS` and `NATIVE_EXPIRY` inform
    people; nothing depends on them or probes them so far. Atomicity, uniqueness, UTC and Unicode
    are not listed: no backend may lack them.
    """

    MULTI_PROCESS = "multi_process"
    """Several processes may use one database at the same time."""
    TRANSACTIONS = "transactions"
    """Several documents or rows change together or not at all."""
    NATIVE_EXPIRY = "native_expiry"
    """The server itself removes what has expired."""
    MFA_CODES = "mfa_codes"
    """The repository `mfa_codes`."""
    OAUTH = "oauth"
    """The repositories `oauth_identities` and `oauth_states`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendInfo:
    """How a plugin describes its backend, without importing the driver.

    Attributes:
        name: the backend's `kind`, unique among installed plugins.
        url_schemes: schemes of the database URLs that it takes, lower case.
        api_version: `regstack.plugins.specs.API_VERSION` that it was written for.
        capabilities: what it offers at its best; an instance may offer less.
        summary: one line for people.
        driver: the driver's distribution name.
    """

    name: str
    url_schemes: tuple[str, ...]
    api_version: int
    capabilities: frozenset[Capability]
    summary: str
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaReport:
    """What `Backend.install_schema` did.

    Attributes:
        revision: what the schema is now.
        changes: one line for each thing that was changed, empty when it was current.
    """

    revision: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PingReport:
    """What `Backend.ping` found.

    Attributes:
        round_trip: how long the server took to answer.
        server_version: as the server tells it.
        details: further facts for `regstack doctor`, without secrets.
    """

    round_trip: timedelta
    server_version: str
    details: Mapping[str, str] = field(default_factory=dict)


class _Optional:
    """A repository that a backend may lack: asking for it raises, assigning it provides it."""

    def __init__(self, capability: Capability) -> None:
        self._capability = capability

    def __get__(self, instance: Backend | None, owner: type[Backend]) -> Self:
        if instance is None:
            return self
        raise UnsupportedCapability(instance.kind, self._capability)


class Backend(ABC):
    """One database, opened for one `RegStack`.

    A subclass sets the repositories in its constructor, which does no I/O; connections are made
    at first use (COM-12). Two instances of the same class are independent of each other.

    Args:
        config: the instance's settings.
        clock: where the time comes from.

    Attributes:
        kind: name of the backend, as in its `BackendInfo`.
        capabilities: what this instance offers.
        config: as given.
        clock: as given.
        users: accounts.
        pending: registrations that wait for confirmation.
        blacklist: revoked access tokens.
        attempts: counted attempts, for lockout and limits.
        mfa_codes: short one-time codes; needs `Capability.MFA_CODES`.
        oauth_identities: external identities; needs `Capability.OAUTH`.
        oauth_states: flows under way; needs `Capability.OAUTH`.
    """

    kind: ClassVar[str]
    capabilities: frozenset[Capability] = frozenset()

    users: UserRepoProtocol
    pending: PendingRepoProtocol
    blacklist: BlacklistRepoProtocol
    attempts: LoginAttemptRepoProtocol
    if TYPE_CHECKING:
        mfa_codes: MfaCodeRepoProtocol
        oauth_identities: OAuthIdentityRepoProtocol
        oauth_states: OAuthStateRepoProtocol
    else:
        mfa_codes = _Optional(Capability.MFA_CODES)
        oauth_identities = _Optional(Capability.OAUTH)
        oauth_states = _Optional(Capability.OAUTH)

    def __init__(self, *, config: RegStackConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock

    @abstractmethod
    async def install_schema(self) -> SchemaReport:
        """Bring the schema up to date and say what was changed.

        Idempotent, safe from many processes at once and on populated data; a schema newer than
        this code is left alone (COM-12).
        """

    @abstractmethod
    async def pending_changes(self) -> tuple[str, ...]:
        """Say what `install_schema` would change, one line each; empty when it is current."""

    @abstractmethod
    async def drop_schema(self) -> None:
        """Remove all that `install_schema` made, with everything in it; nothing where there is nothing.

        For namespaces of tests. No command and no part of `RegStack` calls it.
        """

    async def diagnose(self) -> tuple[Finding, ...]:
        """Look at the server, its role and clock, the pool and the schema, for `regstack doctor`.

        Changes nothing. Each finding that is not ok says what to do. `doctor` itself asks `ping` and
        `pending_changes`, so what those tell is left out here.
        """
        return ()

    def change_feed(self) -> ChangeFeed | None:
        """Give the database's way to tell other processes of changes, without I/O; None without one.

        Asked for once, and only where `token_cache_milliseconds` is set.

        Raises:
            ConfigurationError: a setting that it needs cannot be read.
        """
        return None

    @abstractmethod
    async def ping(self) -> PingReport:
        """Ask the server for a sign of life.

        Raises:
            BackendUnavailable: it cannot be reached.
            BackendTimeout: it did not answer within the deadline.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close what this backend opened, and only that. May be called twice."""

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> dict[str, int]:
        """Delete what expired more than `grace` ago from every repository (COM-07).

        Returns:
            Rows deleted, by repository; repositories that the backend lacks are left out.
        """
        names = ["pending", "blacklist", "attempts"]
        if Capability.MFA_CODES in self.capabilities:
            names.append("mfa_codes")
        if Capability.OAUTH in self.capabilities:
            names.append("oauth_states")
        deleted = {}
        for name in names:
            deleted[name] = await getattr(self, name).purge_expired(now, grace=grace, batch=batch)
        return deleted
