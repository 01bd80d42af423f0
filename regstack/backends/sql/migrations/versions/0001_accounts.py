"""Accounts, registrations, revoked tokens, attempts, codes, external identities and flows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from regstack.backends.sql.types import Id, Instant, Key, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the seven tables."""
    tables = context.config.attributes["tables"]
    prefix, schema = tables.prefix, tables.schema
    owner = f"{schema}.{prefix}users.id" if schema else f"{prefix}users.id"

    def create(name: str, *parts: sa.Column[object] | sa.Constraint) -> None:
        op.create_table(prefix + name, *parts, schema=schema)

    def index(table: str, suffix: str, *columns: str, where: sa.ColumnElement[bool] | None = None) -> None:
        name = f"{prefix}{table}_{suffix}_idx"
        op.create_index(
            name, prefix + table, list(columns), schema=schema, sqlite_where=where, postgresql_where=where
        )

    def primary(table: str, *columns: str) -> sa.Constraint:
        return sa.PrimaryKeyConstraint(*columns, name=f"{prefix}{table}_pkey")

    def unique(table: str, suffix: str, *columns: str) -> sa.Constraint:
        return sa.UniqueConstraint(*columns, name=f"{prefix}{table}_{suffix}_key")

    def owned(table: str, role: str, column: str) -> sa.Constraint:
        name = f"{prefix}{table}_{role}_fkey"
        return sa.ForeignKeyConstraint([column], [owner], name=name, ondelete="CASCADE")

    create(
        "users",
        sa.Column("id", Id, nullable=False),
        sa.Column("email", Text, nullable=False),
        sa.Column("email_key", Key, nullable=False),
        sa.Column("hashed_password", Text),
        sa.Column("full_name", Text),
        sa.Column("phone_number", Text),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("is_verified", sa.Boolean, nullable=False),
        sa.Column("is_superuser", sa.Boolean, nullable=False),
        sa.Column("is_mfa_enabled", sa.Boolean, nullable=False),
        sa.Column("token_version", sa.Integer, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("last_login", Instant),
        sa.Column("tokens_invalidated_after", Instant),
        sa.Column("full_name_key", Key, nullable=False),
        sa.Column("reset_token_hash", Key),
        sa.Column("reset_token_expires_at", Instant),
        sa.Column("email_change_token_hash", Key),
        sa.Column("email_change_expires_at", Instant),
        sa.Column("new_email", Text),
        sa.Column("new_email_key", Key),
        primary("users", "id"),
        unique("users", "email_key", "email_key"),
        unique("users", "reset_token", "reset_token_hash"),
        unique("users", "email_change", "email_change_token_hash"),
    )
    index("users", "full_name_key", "full_name_key")
    index("users", "superusers", "id", where=sa.column("is_superuser", sa.Boolean).is_(True))

    create(
        "pending",
        sa.Column("token_hash", Key, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("email", Text, nullable=False),
        sa.Column("email_key", Key, nullable=False),
        sa.Column("hashed_password", Text),
        sa.Column("full_name", Text),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("for_account", sa.Boolean, nullable=False),
        primary("pending", "email_key"),
        unique("pending", "token_hash", "token_hash"),
    )
    index("pending", "user_id", "user_id")
    index("pending", "expires_at", "expires_at")

    create(
        "blacklist",
        sa.Column("jti", Key, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        primary("blacklist", "jti"),
    )
    index("blacklist", "expires_at", "expires_at")

    create(
        "attempts",
        sa.Column("key", Key, nullable=False),
        sa.Column("window_start", Instant, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        primary("attempts", "key"),
    )
    index("attempts", "expires_at", "expires_at")

    create(
        "mfa_codes",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("kind", Key, nullable=False),
        sa.Column("code_hash", Key, nullable=False),
        sa.Column("target", Text),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("outcome", Key),
        primary("mfa_codes", "user_id", "kind"),
        owned("mfa_codes", "user", "user_id"),
    )
    index("mfa_codes", "expires_at", "expires_at")

    create(
        "oauth_identities",
        sa.Column("id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("provider", Key, nullable=False),
        sa.Column("issuer", Key, nullable=False),
        sa.Column("subject", Key, nullable=False),
        sa.Column("email", Text),
        sa.Column("linked_at", Instant, nullable=False),
        sa.Column("last_used_at", Instant),
        primary("oauth_identities", "id"),
        unique("oauth_identities", "subject", "issuer", "subject"),
        unique("oauth_identities", "provider", "user_id", "provider"),
        owned("oauth_identities", "user", "user_id"),
    )

    create(
        "oauth_states",
        sa.Column("state_hash", Key, nullable=False),
        sa.Column("provider", Key, nullable=False),
        sa.Column("browser_hash", Key, nullable=False),
        sa.Column("redirect_to", Text),
        sa.Column("linking_user_id", Id),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("result_hash", Key),
        sa.Column("result_user_id", Id),
        sa.Column("result_token_version", sa.Integer),
        sa.Column("was_new_account", sa.Boolean, nullable=False),
        primary("oauth_states", "state_hash"),
        unique("oauth_states", "result_hash", "result_hash"),
        owned("oauth_states", "linking", "linking_user_id"),
        owned("oauth_states", "result", "result_user_id"),
    )
    index("oauth_states", "linking", "linking_user_id")
    index("oauth_states", "result", "result_user_id")
    index("oauth_states", "expires_at", "expires_at")
