"""What the repositories of one backend instance share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from regstack.backends.batches import in_batches
from regstack.backends.protocols import PURGE_BATCH, PURGE_GRACE
from regstack.models.instant import instant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, timedelta

    from tenacity import wait_random_exponential

    from regstack.auth.clock import Clock
    from regstack_mongo.connection import Collection, Connection
    from regstack_mongo.executor import Executor

    Raw = dict[str, Any]

T = TypeVar("T")

_SHORTEST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.1
_MAX_UPSERTS = 10


class Repository:
    """Holds the executor and the clock."""

    def __init__(self, db: Executor, clock: Clock) -> None:
        self._db = db
        self._clock = clock


class ExpiringRepository(Repository):
    """A repository over one collection whose documents expire.

    Attributes:
        collection: its name, an attribute of `Connection`.
    """

    collection: str

    async def purge_expired(
        self, now: datetime, *, grace: timedelta = PURGE_GRACE, batch: int = PURGE_BATCH
    ) -> int:
        """Delete what has `expires_at <= now - grace`, in batches, and say how many (COM-07).

        MongoDB's deletion knows no limit, so each batch is chosen first, and deleted if it is
        still expired.
        """
        expired = {"expires_at": {"$lte": instant(now) - grace}}

        async def purge(connection: Connection) -> int | None:
            collection: Collection = getattr(connection, self.collection)
            # Local: what another sweep has deleted a moment ago is not chosen again.
            choosing = collection.with_options(read_concern=ReadConcern("local"))
            rows = await choosing.find(expired, {"_id": 1}).limit(batch).to_list()
            deleted = await collection.delete_many({"_id": {"$in": [row["_id"] for row in rows]}, **expired})
            return deleted.deleted_count if rows else None

        return await in_batches(lambda: self._db.write(purge, several=True))


async def upserted(operation: Callable[[], Awaitable[T]]) -> T:
    """Run an upsert, again where it loses the race for the same `_id`.

    Both found nothing, both inserted; the loser finds the document the next time.
    """
    try:
        return await operation()
    except DuplicateKeyError:
        from tenacity import (  # noqa: PLC0415 - only where a race was lost
            AsyncRetrying,
            retry_if_exception_type,
            stop_after_attempt,
        )

        retrying = AsyncRetrying(
            wait=pause(),
            stop=stop_after_attempt(_MAX_UPSERTS),
            retry=retry_if_exception_type(DuplicateKeyError),
            reraise=True,
        )
        return await retrying(operation)


def pause() -> wait_random_exponential:
    """Give how long to wait before a repeat: a random while, growing."""
    from tenacity import wait_random_exponential  # noqa: PLC0415 - only where something is repeated

    return wait_random_exponential(
        multiplier=_SHORTEST_PAUSE_SECONDS, min=_SHORTEST_PAUSE_SECONDS, max=_LONGEST_PAUSE_SECONDS
    )


def optional(value: datetime | None) -> datetime | None:
    """Give `instant` of a datetime that may be missing."""
    return None if value is None else instant(value)
