"""Counting and listing users."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.models.text import end_of_prefix, search_key
from regstack_mongo.user_documents import PROJECTION, UserDocuments, user_of

if TYPE_CHECKING:
    from regstack.models.user import User
    from regstack_mongo.repository import Raw


class UserPaging(UserDocuments):
    """The part of `UserRepoProtocol` for administrators' lists.

    A prefix is a range of keys: MongoDB compares strings by their UTF-8 bytes, which is the order
    of code points, like Python's.
    """

    async def count(
        self,
        *,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> int:
        query = _query(search, is_active, is_superuser, is_verified)
        return await self._db.read(lambda connection: connection.users.count_documents(query))

    async def list_page(
        self,
        *,
        limit: int,
        after: str | None = None,
        skip: int = 0,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
    ) -> list[User]:
        query = _query(search, is_active, is_superuser, is_verified)
        if after is not None:
            query["_id"] = {"$gt": after}
        if limit <= 0:  # which MongoDB takes for no limit
            return []
        rows = await self._db.read(
            lambda connection: (
                connection.users.find(query, PROJECTION).sort("_id", 1).skip(skip).limit(limit).to_list()
            )
        )
        return [user_of(row) for row in rows]


def _query(
    search: str | None, is_active: bool | None, is_superuser: bool | None, is_verified: bool | None
) -> Raw:
    flags = {"is_active": is_active, "is_superuser": is_superuser, "is_verified": is_verified}
    query: Raw = {name: flag for name, flag in flags.items() if flag is not None}
    if prefix := search_key(search) if search else "":
        within = {"$gte": prefix, "$lt": end_of_prefix(prefix)}
        query["$or"] = [{"email_key": within}, {"name_key": within}]
    return query
