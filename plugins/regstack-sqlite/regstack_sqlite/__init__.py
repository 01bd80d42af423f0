"""SQLite backend for regstack."""
