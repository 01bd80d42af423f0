"""The indexes that regstack has, as it wants them and as they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "regstack_"
"""Begins the names of all indexes of regstack; others on its collections are the host's, and stay."""

TTL = timedelta(days=1)
"""How long after its expiry the server itself removes a document (COM-07)."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index.

    Attributes:
        name: begins with `PREFIX`.
        keys: its fields, ascending.
        unique: forbids that two documents have the same.
        sparse: leaves out documents without the fields.
        partial: takes in only documents that match.
        ttl: the server removes documents so many seconds after the date.
    """

    name: str
    keys: tuple[str, ...]
    unique: bool = False
    sparse: bool = False
    partial: tuple[tuple[str, Any], ...] = ()
    ttl: int | None = None

    def options(self) -> dict[str, Any]:
        """Give the options of `createIndexes`, those that are set."""
        options: dict[str, Any] = {"name": self.name}
        if self.unique:
            options["unique"] = True
        if self.sparse:
            options["sparse"] = True
        if self.partial:
            options["partialFilterExpression"] = dict(self.partial)
        if self.ttl is not None:
            options["expireAfterSeconds"] = self.ttl
        return options

    def definition(self) -> dict[str, Any]:
        """Give what `listIndexes` says of it."""
        return {"key": dict.fromkeys(self.keys, 1), **self.options()}


def wanted_indexes(*, ttl: bool) -> Mapping[str, tuple[Index, ...]]:
    """Give the indexes of each collection.

    Args:
        ttl: let the server remove what expired a day ago. Users never expire, so codes, which are
            in their documents, have no such index.
    """
    seconds = round(TTL.total_seconds()) if ttl else None
    expiry = Index("regstack_expires_at", ("expires_at",), ttl=seconds)
    return {
        "users": (
            Index("regstack_email_key", ("email_key",), unique=True),
            Index("regstack_name_key", ("name_key",)),
            Index("regstack_reset", ("reset.token_hash",), sparse=True),
            Index("regstack_email_change", ("email_change.token_hash",), sparse=True),
            Index("regstack_identity", ("identities.key",), unique=True, sparse=True),
            Index("regstack_identity_id", ("identities.id",), unique=True, sparse=True),
            Index("regstack_codes", ("codes.expires_at",), sparse=True),
            Index("regstack_superusers", ("is_superuser", "_id"), partial=(("is_superuser", True),)),
        ),
        "pending": (
            Index("regstack_token_hash", ("token_hash",), unique=True),
            Index("regstack_user_id", ("user_id",)),
            expiry,
        ),
        "blacklist": (expiry,),
        "attempts": (expiry,),
        "oauth_states": (
            Index("regstack_result_hash", ("result_hash",), unique=True, sparse=True),
            Index("regstack_linking_user", ("linking_user_id",)),
            Index("regstack_result_user", ("result_user_id",)),
            expiry,
        ),
    }


def as_it_is(found: Mapping[str, Any]) -> dict[str, Any]:
    """Give what `listIndexes` says of an index, without what no index of regstack sets."""
    definition = {name: value for name, value in found.items() if name not in {"v", "ns", "background"}}
    definition["key"] = {
        field: int(order) if isinstance(order, float) else order for field, order in found["key"].items()
    }
    return {name: value for name, value in definition.items() if value is not False}
