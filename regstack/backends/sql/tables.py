"""The tables of one backend instance."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from regstack.backends.sql.types import Id, Instant, Key, Text

_PARTIAL = ("sqlite", "postgresql")
"""Dialects that know indexes of some rows only."""


class Tables:
    """SQLAlchemy Core tables under one prefix and schema.

    The first columns of each table stand in the order of its domain value's fields, so that
    a row is built into the value by position. Constraints and indexes are named after their
    table, since some servers keep one namespace for all of them; none is longer than 63 bytes, which
    PostgreSQL would cut, with a prefix of 31.

    Args:
        prefix: what all names begin with.
        schema: SQL schema, or None for the connection's own.
        dialect: name of the server's SQL, as SQLAlchemy knows it.
    """

    def __init__(self, prefix: str, schema: str | None = None, *, dialect: str = "") -> None:
        self._dialect = dialect
        self.prefix = prefix
        self.schema = schema
        self.metadata = MetaData(schema=schema)
        self.users = self._users()
        self.pending = self._pending()
        self.blacklist = self._blacklist()
        self.attempts = self._attempts()
        self.mfa_codes = self._mfa_codes()
        self.oauth_identities = self._oauth_identities()
        self.oauth_states = self._oauth_states()

    @property
    def version_table(self) -> str:
        """Name of the table that holds the schema's revision."""
        return f"{self.prefix}alembic_version"

    def _name(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def _owner(self, name: str, column: str = "user_id", role: str = "user") -> ForeignKeyConstraint:
        target = f"{self.schema}." if self.schema else ""
        return ForeignKeyConstraint(
            [column],
            [f"{target}{self.prefix}users.id"],
            name=self._name(f"{name}_{role}_fkey"),
            ondelete="CASCADE",
        )

    def _expiry(self, name: str, table: Table) -> Table:
        Index(self._name(f"{name}_expires_at_idx"), table.c.expires_at)
        return table

    def _users(self) -> Table:
        table = Table(
            self._name("users"),
            self.metadata,
            Column("id", Id, nullable=False),
            Column("email", Text, nullable=False),
            Column("email_key", Key, nullable=False),
            Column("hashed_password", Text),
            Column("full_name", Text),
            Column("phone_number", Text),
            Column("is_active", Boolean, nullable=False),
            Column("is_verified", Boolean, nullable=False),
            Column("is_superuser", Boolean, nullable=False),
            Column("is_mfa_enabled", Boolean, nullable=False),
            Column("token_version", Integer, nullable=False),
            Column("created_at", Instant, nullable=False),
            Column("updated_at", Instant, nullable=False),
            Column("last_login", Instant),
            Column("tokens_invalidated_after", Instant),
            Column("full_name_key", Key, nullable=False),
            Column("reset_token_hash", Key),
            Column("reset_token_expires_at", Instant),
            Column("email_change_token_hash", Key),
            Column("email_change_expires_at", Instant),
            Column("new_email", Text),
            Column("new_email_key", Key),
            PrimaryKeyConstraint("id", name=self._name("users_pkey")),
            UniqueConstraint("email_key", name=self._name("users_email_key_key")),
            UniqueConstraint("reset_token_hash", name=self._name("users_reset_token_key")),
            UniqueConstraint("email_change_token_hash", name=self._name("users_email_change_key")),
        )
        Index(self._name("users_full_name_key_idx"), table.c.full_name_key)
        # Said in one dialect alone: SQLAlchemy imports each that is named.
        only: dict[str, Any] = {}
        if self._dialect in _PARTIAL:
            only[f"{self._dialect}_where"] = table.c.is_superuser.is_(True)
        Index(self._name("users_superusers_idx"), table.c.id, **only)
        return table

    def _pending(self) -> Table:
        table = Table(
            self._name("pending"),
            self.metadata,
            Column("token_hash", Key, nullable=False),
            Column("user_id", Id, nullable=False),
            Column("email", Text, nullable=False),
            Column("email_key", Key, nullable=False),
            Column("hashed_password", Text),
            Column("full_name", Text),
            Column("created_at", Instant, nullable=False),
            Column("expires_at", Instant, nullable=False),
            Column("for_account", Boolean, nullable=False),
            PrimaryKeyConstraint("email_key", name=self._name("pending_pkey")),
            UniqueConstraint("token_hash", name=self._name("pending_token_hash_key")),
        )
        Index(self._name("pending_user_id_idx"), table.c.user_id)
        return self._expiry("pending", table)

    def _blacklist(self) -> Table:
        table = Table(
            self._name("blacklist"),
            self.metadata,
            Column("jti", Key, nullable=False),
            Column("expires_at", Instant, nullable=False),
            PrimaryKeyConstraint("jti", name=self._name("blacklist_pkey")),
        )
        return self._expiry("blacklist", table)

    def _attempts(self) -> Table:
        table = Table(
            self._name("attempts"),
            self.metadata,
            Column("key", Key, nullable=False),
            Column("window_start", Instant, nullable=False),
            Column("count", Integer, nullable=False),
            Column("expires_at", Instant, nullable=False),
            PrimaryKeyConstraint("key", name=self._name("attempts_pkey")),
        )
        return self._expiry("attempts", table)

    def _mfa_codes(self) -> Table:
        table = Table(
            self._name("mfa_codes"),
            self.metadata,
            Column("user_id", Id, nullable=False),
            Column("kind", Key, nullable=False),
            Column("code_hash", Key, nullable=False),
            Column("target", Text),
            Column("max_attempts", Integer, nullable=False),
            Column("created_at", Instant, nullable=False),
            Column("expires_at", Instant, nullable=False),
            Column("attempts", Integer, nullable=False),
            Column("outcome", Key),
            PrimaryKeyConstraint("user_id", "kind", name=self._name("mfa_codes_pkey")),
            self._owner("mfa_codes"),
        )
        return self._expiry("mfa_codes", table)

    def _oauth_identities(self) -> Table:
        return Table(
            self._name("oauth_identities"),
            self.metadata,
            Column("id", Id, nullable=False),
            Column("user_id", Id, nullable=False),
            Column("provider", Key, nullable=False),
            Column("issuer", Key, nullable=False),
            Column("subject", Key, nullable=False),
            Column("email", Text),
            Column("linked_at", Instant, nullable=False),
            Column("last_used_at", Instant),
            PrimaryKeyConstraint("id", name=self._name("oauth_identities_pkey")),
            UniqueConstraint("issuer", "subject", name=self._name("oauth_identities_subject_key")),
            UniqueConstraint("user_id", "provider", name=self._name("oauth_identities_provider_key")),
            self._owner("oauth_identities"),
        )

    def _oauth_states(self) -> Table:
        table = Table(
            self._name("oauth_states"),
            self.metadata,
            Column("state_hash", Key, nullable=False),
            Column("provider", Key, nullable=False),
            Column("browser_hash", Key, nullable=False),
            Column("redirect_to", Text),
            Column("linking_user_id", Id),
            Column("created_at", Instant, nullable=False),
            Column("expires_at", Instant, nullable=False),
            Column("result_hash", Key),
            Column("result_user_id", Id),
            Column("result_token_version", Integer),
            Column("was_new_account", Boolean, nullable=False),
            PrimaryKeyConstraint("state_hash", name=self._name("oauth_states_pkey")),
            UniqueConstraint("result_hash", name=self._name("oauth_states_result_hash_key")),
            self._owner("oauth_states", "linking_user_id", "linking"),
            self._owner("oauth_states", "result_user_id", "result"),
        )
        Index(self._name("oauth_states_linking_idx"), table.c.linking_user_id)
        Index(self._name("oauth_states_result_idx"), table.c.result_user_id)
        return self._expiry("oauth_states", table)
