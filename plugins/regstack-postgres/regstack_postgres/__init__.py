"""PostgreSQL backend for regstack."""
