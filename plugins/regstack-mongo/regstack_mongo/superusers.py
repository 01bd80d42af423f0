"""The last active superuser stays (USR-04), without a transaction.

Taking an active superuser away depends on another document. The roll call makes sure that it stays
as it was seen. Whoever wants to take X away

1. marks every active superuser with a word of its own (`roll`), over any earlier mark;
2. looks for another active superuser, Y, that still bears this mark;
3. takes X away, if X still bears it. If not, somebody called later: again from 1.

Two that rely on each other cannot both get to the end. Where a call relies on Y, and another call
takes Y away, Y bore the first one's mark in step 2 and the other's in step 3, so the other marked Y
after the first had looked, and looked later still. Along any chain of such calls each looked later
than the one that relied on what it took away, so the chain is no ring, and the Y of the call that
looked last stays. Making a superuser needs no mark: one more never hurts, and a new one bears no
mark, so nobody relies on it.

The flags in the users' documents are the only truth. A crash leaves marks behind, which mean
nothing to the next call; there is nothing to repair, and no second list that could differ. Reads
see what a majority has, and step 1 is on a majority, with all writes before it, when step 2 begins.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, TypeVar

from regstack.errors import BackendTimeout, LastSuperuserError
from regstack_mongo.repository import pause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from regstack_mongo.connection import Connection
    from regstack_mongo.repository import Raw

T = TypeVar("T")

ACTIVE_SUPERUSER = {"is_superuser": True, "is_active": True}
_SHARE_OF_DEADLINE = 0.8


class _OvertakenError(BackendTimeout):
    """Others who take superusers away called the roll in between; nothing was done."""


async def take_away(
    connection: Connection,
    this: Raw,
    take: Callable[[Raw], Awaitable[T | None]],
    *,
    timeout: float,
) -> T | None:
    """Take an account away as a superuser: demote, disable or delete it.

    Args:
        connection: where.
        this: the query for the account, by `_id` and what else guards it.
        take: the atomic change of the one account that a query finds; None where it finds none.
        timeout: deadline in seconds.

    Returns:
        What `take` gave; None where there is no such account.

    Raises:
        LastSuperuserError: no active superuser would be left; nothing was changed.
        BackendTimeout: others were quicker until the deadline; nothing was changed.
    """
    done = await take({**this, "$nor": [ACTIVE_SUPERUSER]})
    if done is not None:
        return done
    if await connection.users.find_one(this, {"_id": 1}) is None:
        return None
    from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay  # noqa: PLC0415 - seldom needed

    retrying = AsyncRetrying(
        wait=pause(),
        stop=stop_after_delay(timeout * _SHARE_OF_DEADLINE),
        retry=retry_if_exception_type(_OvertakenError),
        reraise=True,
    )
    async with connection.superusers:
        return await retrying(_call_the_roll, connection, this, take)


async def _call_the_roll(
    connection: Connection, this: Raw, take: Callable[[Raw], Awaitable[T | None]]
) -> T | None:
    users, roll = connection.users, secrets.token_hex(8)
    others: dict[str, Any] = {**ACTIVE_SUPERUSER, "_id": {"$ne": this["_id"]}}
    await users.update_many(ACTIVE_SUPERUSER, {"$set": {"roll": roll}})
    relied_on = await users.find_one({**others, "roll": roll}, {"_id": 1})
    if relied_on is not None:
        done = await take({**this, **ACTIVE_SUPERUSER, "roll": roll})
        if done is not None:
            return done
    done = await take({**this, "$nor": [ACTIVE_SUPERUSER]})
    if done is not None or await users.find_one(this, {"_id": 1}) is None:
        return done
    if relied_on is None and await users.find_one(others, {"_id": 1}) is None:
        raise LastSuperuserError
    raise _OvertakenError(
        "others who change administrators were quicker until the deadline; nothing was changed, try again"
    )
