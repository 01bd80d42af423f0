"""What SQLite's errors mean."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from regstack.backends.sql.executor import ForeignKeyViolation, Locked, MissingTable, UniqueViolation
from regstack.errors import BackendError, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

_PRIMARY = 0xFF
_ADVICE: Mapping[int, str] = {
    sqlite3.SQLITE_READONLY: "the database is read-only; make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened; does its folder exist, and is it writable?",
    sqlite3.SQLITE_NOTADB: "the database file is not an SQLite database; is the path in database_url right?",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged; restore it from a backup",
    sqlite3.SQLITE_FULL: "the disk is full; make room for the database",
    sqlite3.SQLITE_IOERR: "the disk reports an error; the system's log says more",
    sqlite3.SQLITE_PERM: "the database file must not be accessed; check its permissions",
    sqlite3.SQLITE_AUTH: "the database must not be accessed; check its permissions",
}


def meaning_of(error: Exception) -> BackendError | None:
    """Give the error of `regstack.errors` for one of SQLite's; None for an error of another kind."""
    if isinstance(error, ValueError) and str(error).lower() in {"connection closed", "no active connection"}:
        return BackendUnavailable("the connection was closed during the operation", outcome_unknown=True)
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", None) or 0
    text = str(error)
    if code in {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}:
        return UniqueViolation(text.partition(": ")[2].partition(",")[0])
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return ForeignKeyViolation()
    code &= _PRIMARY
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Locked("the database stayed locked by somebody else until the deadline (db_timeout_seconds)")
    if code in _ADVICE:
        return BackendUnavailable(_ADVICE[code])
    if code == sqlite3.SQLITE_ERROR and text.startswith("no such table"):
        return MissingTable()
    return BackendError("SQLite refused the statement")
