"""What the driver's errors mean."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import exc

from regstack.backends.sql.executor import ForeignKeyViolation, Locked, MissingTable, UniqueViolation
from regstack.errors import BackendError, BackendTimeout, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_ONLY = "25006"

_REFUSED: Mapping[str, str] = {
    READ_ONLY: "the server takes no writes: it is a standby, or read-only; "
    "let database_url name the primary, or all servers with commas between them",
    "25P03": "the server ended the transaction, which had stood still for too long",
    "28000": "the server does not let this user in; check user, database and host in its pg_hba.conf, "
    "and sslmode in database_url",
    "28P01": "the server refused the password; correct it in database_url",
    "3D000": "the database does not exist; create it, or correct its name in database_url",
    "42501": "the database user lacks a right; grant it USAGE on the schema and all rights on the tables, "
    "and CREATE on the schema to migrate",
    "53100": "the server's disk is full; make room",
    "53200": "the server is out of memory",
    "53300": "the server has no connection left; lower db_pool_size or the number of workers, "
    "or raise its max_connections",
    "53400": "the server reached a limit of its configuration; its log says which",
}
"""By SQLSTATE: nothing was done, and this is what to do."""

_ENDED = ("57P01", "57P02", "57P03", "57P04", "57P05")
_UNPREPARED = ("26000", "42P05")
_POOLER = "behind a pooler in transaction mode set postgres_statement_cache_size = 0"
_UNREACHABLE = "the database cannot be reached; is it running, and database_url right?"
_BROKEN = "the connection to the database broke off"


def redacted(error: BaseException) -> BaseException:
    """Give the driver's error without what it quotes of rows and arguments.

    The server tells the values of a key that is taken, and a whole row that a constraint refuses.
    """
    if isinstance(error, asyncpg.PostgresError):
        copy: BaseException = type(error)(f"SQLSTATE {error.sqlstate}")
        for name in ("constraint_name", "schema_name", "table_name", "column_name"):
            setattr(copy, name, getattr(error, name, None))
    elif isinstance(error, asyncpg.DataError):
        copy = type(error)("the driver does not take a value for its column")
    else:
        return error
    return copy.with_traceback(error.__traceback__)


def meaning_of(error: BaseException, *, outcome_unknown: bool) -> BackendError | None:
    """Give the error of `regstack.errors` for one of the driver's; None for any other.

    Args:
        error: what was raised.
        outcome_unknown: a write was sent that may have been committed, if the server did not
            answer that it failed.
    """
    if isinstance(error, asyncpg.OutdatedSchemaCacheError) and outcome_unknown:
        return BackendUnavailable("the schema changed under a statement", outcome_unknown=True)
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        return Locked("the schema changed under a prepared statement")
    if isinstance(error, asyncpg.PostgresError):
        return _answered(error, outcome_unknown)
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return BackendError("the driver does not take a value for its column")
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return BackendUnavailable(_REFUSED[READ_ONLY])
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return BackendUnavailable(_BROKEN, outcome_unknown=outcome_unknown)
    if isinstance(error, ssl.SSLError):
        return BackendUnavailable(
            "the TLS connection failed; check sslmode and sslrootcert in database_url, "
            "and that the server's certificate names the host",
            outcome_unknown=outcome_unknown,
        )
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return BackendUnavailable(_UNREACHABLE, outcome_unknown=outcome_unknown)
    if isinstance(error, exc.TimeoutError):
        return BackendTimeout("no connection of the engine's pool became free; enlarge it")
    return None


def _answered(error: asyncpg.PostgresError, outcome_unknown: bool) -> BackendError:
    code = str(error.sqlstate or "")
    match code:
        case "23505":
            return UniqueViolation(error.constraint_name or "")
        case "23503":
            return ForeignKeyViolation()
        case "40001" | "40P01" | "55P03":
            return Locked("other transactions stayed in the way until the deadline (db_timeout_seconds)")
        case "57014":
            return BackendTimeout("the server ended the statement, which took too long (db_timeout_seconds)")
        case "42P01" | "3F000":
            return MissingTable()
    if code in _REFUSED:
        return BackendUnavailable(_REFUSED[code])
    if code in _UNPREPARED:
        return BackendError(f"the server does not know a prepared statement; {_POOLER}")
    if code == "08P01":
        return BackendUnavailable(
            f"the server, or a pooler before it, refused; its log says why; {_POOLER}",
            outcome_unknown=outcome_unknown,
        )
    if code in _ENDED or code.startswith("08"):
        return BackendUnavailable(
            "the server is shutting down, starting, or ended the connection" if code in _ENDED else _BROKEN,
            outcome_unknown=outcome_unknown,
        )
    return BackendError(f"PostgreSQL refused the statement (SQLSTATE {code or 'unknown'})")
