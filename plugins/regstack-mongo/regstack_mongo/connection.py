"""One client on one event loop."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import pymongo
from bson.codec_options import CodecOptions
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from regstack.errors import BackendError, BackendUnavailable, ConfigurationError
from regstack_mongo.driver_log import COMMANDS, WithoutDocuments

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pymongo.asynchronous.collection import AsyncCollection
    from pymongo.asynchronous.database import AsyncDatabase
    from pymongo.topology_description import TopologyDescription

    from regstack_mongo.documents import Documents
    from regstack_mongo.source import Source

    Collection = AsyncCollection[dict[str, Any]]
    Database = AsyncDatabase[dict[str, Any]]

OLDEST_WIRE_VERSION = 13
"""MongoDB 5.0. `$unionWith` needs 4.4, which is not maintained any more."""

ANY_SERVER = ReadPreference.PRIMARY_PREFERRED
"""For questions about the servers; data comes from the primary alone (COM-15)."""

_GOODBYE_SECONDS = 1.0
_SECONDARY = {"RSSecondary", "RSOther", "RSArbiter", "RSGhost"}


class Connection:
    """The way to one database.

    Every collection has the same options, whatever client and URL say:

    - Writes wait until a majority has them, journaled (`w=majority, j=true`). A single server is a
      majority of its own; `j` makes what it acknowledged survive a crash.
    - Reads go to the primary and see what a majority has (`readConcern=majority`). So nothing that
      was read can be rolled back by a failover, and since an acknowledged write is on a majority
      too, a read after it sees it. On a single server it is the same as a local read.
    - Dates come back in UTC.

    A primary that is cut off from its set answers reads for up to its election timeout (ten
    seconds) before it steps down; only a linearizable read, at the price of a round trip within
    the set for each, could tell.

    Args:
        source: where the client comes from.
        prefix: begins the names of the collections.
        timeout: deadline of `greet`, in seconds.

    Attributes:
        loop: the event loop that it belongs to.
        client: the driver's.
        database: with the options above.
        installed: the schema was seen to be there.
        users: a collection, like the following.
        superusers: held by one task at a time that takes superusers away, so that tasks of one
            process do not overtake each other; between processes the roll call alone decides.
    """

    def __init__(self, source: Source, prefix: str, *, timeout: float) -> None:
        self._prefix = prefix
        self._timeout = timeout
        self.loop = asyncio.get_running_loop()
        self.client = source.client()
        self.database: Database = self.client.get_database(
            source.database,
            codec_options=CodecOptions(tz_aware=True),
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", j=True),
        )
        self.superusers = asyncio.Lock()
        self.users: Collection = self.database[f"{prefix}users"]
        self.pending: Collection = self.database[f"{prefix}pending"]
        self.blacklist: Collection = self.database[f"{prefix}blacklist"]
        self.attempts: Collection = self.database[f"{prefix}attempts"]
        self.oauth_states: Collection = self.database[f"{prefix}oauth_states"]
        self.schema: Collection = self.database[f"{prefix}schema"]
        self.installed = False
        self._documents: Documents | None = None
        self._binding = asyncio.Lock()
        self._seen: TopologyDescription | None = None
        self._secondary = False
        self._owned = source.owned
        self._life = self._lived()

    async def greet(self) -> dict[str, Any]:
        """Ask any server of the set who it is; refuse one that is too old.

        Raises:
            ConfigurationError: it is older than MongoDB 5.0.
        """
        # The event loop ends generators that were begun on it before it is closed itself, so a
        # forgotten `aclose` leaves no connection behind.
        await anext(self._life)
        try:
            with pymongo.timeout(self._timeout):
                hello: dict[str, Any] = await self.client.admin.command("hello", read_preference=ANY_SERVER)
            if hello["maxWireVersion"] < OLDEST_WIRE_VERSION:
                raise ConfigurationError("the MongoDB server is too old: regstack needs 5.0 or newer (2021)")
        except BaseException:
            await self.aclose()
            raise
        return hello

    async def documents(self) -> Documents:
        """Give Beanie's classes, bound to the database; no operation of regstack needs them."""
        async with self._binding:
            if self._documents is None:
                from regstack_mongo.documents import bound_documents  # noqa: PLC0415 - imports Beanie

                self._documents = await bound_documents(self.database, self._prefix)
            return self._documents

    async def check_installed(self) -> None:
        """Refuse a database without our indexes: collections appear by themselves, uniqueness does not.

        Raises:
            BackendError: `install_schema` never ran, or under another prefix.
        """
        if await self.schema.find_one({}, {"_id": 1}) is None:
            raise BackendError(
                "the schema is missing: run `regstack migrate`, or await `install_schema()` at start-up; "
                "are the database and `table_prefix` those it was installed with?"
            )
        self.installed = True

    def check_primary(self) -> None:
        """Refuse a server that `directConnection` names and that is no primary; costs no round trip.

        The driver lets such a server answer reads, whatever was asked for (COM-15).
        """
        description = self.client.topology_description
        if description is not self._seen:
            self._seen = description
            self._secondary = description.topology_type_name == "Single" and any(
                server.server_type_name in _SECONDARY for server in description.server_descriptions().values()
            )
        if self._secondary:
            raise BackendUnavailable(
                "database_url names one member of a replica set (directConnection), and it is not the "
                "primary; name the set instead: mongodb://host1,host2/database?replicaSet=…"
            )

    async def _lived(self) -> AsyncGenerator[None, None]:
        quiet = WithoutDocuments(self.client) if self._owned else None
        if quiet is not None:
            COMMANDS.addFilter(quiet)
        try:
            yield
        finally:
            if quiet is not None:
                COMMANDS.removeFilter(quiet)
                with suppress(Exception), pymongo.timeout(_GOODBYE_SECONDS):
                    await self.client.close()

    async def aclose(self) -> None:
        """Close the client, if it is the backend's own."""
        if self.loop is asyncio.get_running_loop():
            async with aclosing(self._life):
                pass
