"""What Alembic runs: all revisions in the transaction of the connection that it is given."""

from __future__ import annotations

from alembic import context

tables = context.config.attributes["tables"]

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    version_table=tables.version_table,
    version_table_schema=tables.schema,
)
with context.begin_transaction():
    context.run_migrations()
