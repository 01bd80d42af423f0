"""Work on many rows that runs beside traffic."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LONGEST_REST_SECONDS = 1.0
"""One batch that waited for a lock must not hold up the rest for as long again."""


async def in_batches(delete: Callable[[], Awaitable[int | None]]) -> int:
    """Delete batch after batch, and rest after each for as long as it took.

    A second at the most. So traffic has about half of the database's time, however fast the database is.

    Args:
        delete: deletes one batch and says how many rows it had; None where there was nothing to delete.

    Returns:
        How many rows were deleted in all.
    """
    total = 0
    while True:
        start = time.monotonic()
        deleted = await delete()
        if deleted is None:
            return total
        total += deleted
        await asyncio.sleep(min(time.monotonic() - start, LONGEST_REST_SECONDS))
