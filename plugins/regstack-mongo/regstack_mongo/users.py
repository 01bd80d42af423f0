"""Accounts."""

# ruff: noqa: D102 - the protocol documents every operation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import ReturnDocument

from regstack.models.instant import instant
from regstack.models.text import search_key
from regstack.models.user import LoginSubject
from regstack_mongo.pending import pending_of, usable
from regstack_mongo.superusers import take_away
from regstack_mongo.user_creation import UserCreation
from regstack_mongo.user_credentials import UserCredentials
from regstack_mongo.user_documents import PROJECTION, change, end_of_sessions, this_user, user_of
from regstack_mongo.user_paging import UserPaging
from regstack_mongo.user_tokens import UserTokens

if TYPE_CHECKING:
    from datetime import datetime

    from regstack.models.user import User
    from regstack_mongo.connection import Connection
    from regstack_mongo.repository import Raw


class MongoUsers(UserCreation, UserTokens, UserCredentials, UserPaging):
    """Implements `regstack.backends.protocols.UserRepoProtocol`."""

    async def get_by_id(self, user_id: str) -> User | None:
        return await self._found({"_id": user_id})

    async def get_by_email(self, email_key: str) -> User | None:
        return await self._found({"email_key": email_key})

    async def find_login_subject(self, email_key: str) -> LoginSubject:
        waiting = usable(self._clock.now(), _id=email_key)

        async def find(connection: Connection) -> list[Raw]:
            pipeline: list[dict[str, Any]] = [
                {"$match": {"email_key": email_key}},
                {"$project": PROJECTION},
                {"$unionWith": {"coll": connection.pending.name, "pipeline": [{"$match": waiting}]}},
            ]
            return await (await connection.users.aggregate(pipeline)).to_list()

        rows = await self._db.read(find)
        for row in rows:
            if "email_key" in row:
                return LoginSubject(user=user_of(row), pending=None)
        return LoginSubject(user=None, pending=pending_of(rows[0]) if rows else None)

    async def record_login(self, user_id: str, when: datetime) -> bool:
        return await self._updated({"_id": user_id}, {"$max": {"last_login": instant(when)}})

    async def update_profile(self, user_id: str, *, full_name: str | None) -> User | None:
        values = {"full_name": full_name, "name_key": search_key(full_name or "")}
        return await self._changed({"_id": user_id}, change(self._clock.now(), **values))

    async def set_second_factor(
        self, user_id: str, phone_number: str | None, *, token_version: int | None = None
    ) -> User | None:
        values = {"phone_number": phone_number, "is_mfa_enabled": phone_number is not None}
        return await self._changed(this_user(user_id, token_version), change(self._clock.now(), **values))

    async def set_flags(
        self,
        user_id: str,
        *,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
        token_version: int | None = None,
    ) -> User | None:
        given = {"is_active": is_active, "is_superuser": is_superuser, "is_verified": is_verified}
        flags = {name: flag for name, flag in given.items() if flag is not None}
        update = (end_of_sessions if is_active is False else change)(self._clock.now(), **flags)
        if is_active is not False and is_superuser is not False:
            return await self._changed(this_user(user_id, token_version), update)

        async def set_flags(connection: Connection) -> Raw | None:
            async def take(query: Raw) -> Raw | None:
                row: Raw | None = await connection.users.find_one_and_update(
                    query, update, projection=PROJECTION, return_document=ReturnDocument.AFTER
                )
                return row

            this = this_user(user_id, token_version)
            return await take_away(connection, this, take, timeout=self._db.timeout)

        row = await self._db.write(set_flags)
        return user_of(row) if row is not None else None

    async def delete(self, user_id: str, *, token_version: int | None = None) -> bool:
        async def delete(connection: Connection) -> bool:
            async def take(query: Raw) -> Raw | None:
                row: Raw | None = await connection.users.find_one_and_delete(query, projection={"_id": 1})
                return row

            this = this_user(user_id, token_version)
            # A claimed row could make the account again once it is gone; with its account there, it
            # is used up, so it may go even where the account is to stay.
            if await connection.users.find_one(this, {"_id": 1}) is not None:
                await connection.pending.delete_many({"user_id": user_id, "claimed": True})
            gone = await take_away(connection, this, take, timeout=self._db.timeout) is not None
            theirs: dict[str, Any] = {"user_id": user_id}
            if not gone:
                if await connection.users.find_one({"_id": user_id}, {"_id": 1}) is not None:
                    return False
                # A deletion that broke off here is finished by whoever makes it again. What is left
                # of an account is told from a registration that is still to become one.
                theirs["$or"] = [{"for_account": True}, {"claimed": True}]
            await connection.pending.delete_many(theirs)
            for field in ("linking_user_id", "result_user_id"):
                await connection.oauth_states.delete_many({field: user_id})
            return gone

        return await self._db.write(delete, several=True)

    async def _found(self, query: Raw) -> User | None:
        row = await self._db.read(lambda connection: connection.users.find_one(query, PROJECTION))
        return user_of(row) if row is not None else None
