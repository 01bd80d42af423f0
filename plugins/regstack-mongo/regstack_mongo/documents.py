"""The documents, as Beanie classes of one backend instance.

`init_beanie` binds a class to one database, and a second call binds it to another without a word.
So the fields are plain pydantic models, which are never initialised, and `bound_documents` makes
classes of them for each connection. They state and check the shape, and are there for a host's own
queries; repositories read and write raw documents of that shape, since validating every read costs
more than the read. So this module, and Beanie, are imported where somebody asks for the classes.

What belongs to one user is in its document: identities, codes, the reset token and the email
change. So one statement deletes it all, and a guard sees all of it.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from beanie import Document, init_beanie
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from regstack_mongo.connection import Database

_STRICT = ConfigDict(extra="forbid", populate_by_name=True)


class Code(BaseModel):
    """A one-time code of a user, one for each kind."""

    model_config = _STRICT
    kind: str
    code_hash: str
    target: str | None
    max_attempts: int
    attempts: int
    created_at: datetime
    expires_at: datetime


class Identity(BaseModel):
    """An external identity of a user, one for each provider.

    Attributes:
        key: issuer and subject in one string, unique over all users (`identity_key`).
    """

    model_config = _STRICT
    id: str
    key: str
    provider: str
    issuer: str
    subject: str
    email: str | None
    linked_at: datetime
    last_used_at: datetime | None


class ResetToken(BaseModel):
    """The one valid password-reset token."""

    model_config = _STRICT
    token_hash: str
    expires_at: datetime


class EmailChange(BaseModel):
    """The one valid email-change token."""

    model_config = _STRICT
    token_hash: str
    expires_at: datetime
    email: str
    email_key: str


class UserFields(BaseModel):
    """An account with all that is keyed to it.

    Attributes:
        name_key: `regstack.models.text.search_key` of the name.
        roll: mark of the last roll call of superusers (`regstack_mongo.superusers`).
        confirmed_by: hash of the pending token that made or verified it, until one caller has
            been told so (`regstack_mongo.user_creation`).
    """

    id: str = Field(alias="_id")
    email: str
    email_key: str
    hashed_password: str | None
    full_name: str | None
    name_key: str
    phone_number: str | None
    is_active: bool
    is_verified: bool
    is_superuser: bool
    is_mfa_enabled: bool
    token_version: int
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None
    tokens_invalidated_after: datetime | None
    reset: ResetToken | None = None
    email_change: EmailChange | None = None
    identities: list[Identity] = []
    codes: list[Code] = []
    roll: str | None = None
    confirmed_by: str | None = None


class PendingFields(BaseModel):
    """A registration that waits, under its email key.

    Attributes:
        claimed: its account is being made; only a repeat of that, or a newer registration, may
            touch the row.
    """

    id: str = Field(alias="_id")
    token_hash: str
    user_id: str
    email: str
    hashed_password: str | None
    full_name: str | None
    created_at: datetime
    expires_at: datetime
    for_account: bool
    claimed: bool = False


class RevocationFields(BaseModel):
    """A revoked token, under its `jti`."""

    id: str = Field(alias="_id")
    expires_at: datetime


class AttemptFields(BaseModel):
    """Counted attempts, under their key."""

    id: str = Field(alias="_id")
    window_start: datetime
    count: int
    expires_at: datetime


class OAuthStateFields(BaseModel):
    """A flow under way, under its state's hash; `result_hash` is absent until there is a result."""

    id: str = Field(alias="_id")
    provider: str
    browser_hash: str
    redirect_to: str | None
    linking_user_id: str | None
    created_at: datetime
    expires_at: datetime
    result_hash: str | None = None
    result_user_id: str | None = None
    result_token_version: int | None = None
    was_new_account: bool = False


@dataclass(frozen=True, slots=True)
class Documents:
    """The classes of one connection, ready for Beanie's query language."""

    users: type[Document]
    pending: type[Document]
    blacklist: type[Document]
    attempts: type[Document]
    oauth_states: type[Document]


async def bound_documents(database: Database, prefix: str) -> Documents:
    """Make classes for the collections of a database whose names begin with `prefix`."""
    documents = Documents(
        users=_document("User", UserFields, f"{prefix}users"),
        pending=_document("Pending", PendingFields, f"{prefix}pending"),
        blacklist=_document("Revocation", RevocationFields, f"{prefix}blacklist"),
        attempts=_document("Attempt", AttemptFields, f"{prefix}attempts"),
        oauth_states=_document("OAuthState", OAuthStateFields, f"{prefix}oauth_states"),
    )
    models = [getattr(documents, each.name) for each in fields(documents)]
    await init_beanie(database=database, document_models=models, skip_indexes=True)
    return documents


def _document(class_name: str, base: type[BaseModel], collection: str) -> type[Document]:
    # By module and name pydantic knows a class within a class, which is no field.
    place = {"__module__": __name__, "__qualname__": f"{class_name}.Settings"}
    settings = type("Settings", (), {**place, "name": collection})

    def body(namespace: dict[str, Any]) -> None:
        namespace.update(__module__=__name__, __qualname__=class_name, __doc__=base.__doc__)
        namespace["Settings"] = settings
        namespace["model_config"] = ConfigDict(extra="forbid")

    made: type[Document] = types.new_class(class_name, (base, Document), exec_body=body)
    return made
