"""What Redis' errors mean."""

from __future__ import annotations

import re

from redis import exceptions

from regstack.errors import BackendError, BackendUnavailable

_ADVICE = {
    "READONLY": "this server is a replica; let database_url name the primary",
    "OOM": "the server's memory is full (maxmemory); give it more",
    "MISCONF": "the server cannot write to its disk and takes no changes; its log says why",
    "NOREPLICAS": "too few replicas are connected (min-replicas-to-write); bring them back",
    "LOADING": "the server is still loading its data; try again in a moment",
    "BUSY": "a long script keeps the server busy; end it with SCRIPT KILL, or wait for it",
    "MASTERDOWN": "this replica has lost its primary; let database_url name the primary",
    "NOAUTH": "the server asks for a password; put it into database_url",
    "WRONGPASS": "the server refuses user name or password; correct them in database_url",
    "NOPERM": "the server's access list forbids a command; allow EVAL, and all keys of table_prefix",
    "MOVED": "the server belongs to a cluster, which is not supported; use one primary",
    "CROSSSLOT": "the server belongs to a cluster, which is not supported; use one primary",
    "CLUSTERDOWN": "the server belongs to a cluster, which is not supported; use one primary",
}
"""What to do, by the word that an error of the server begins with."""

_INSIDE_A_SCRIPT = re.compile(r"-([A-Z]+) ")
"""Redis 6.2 quotes the error of a command that a script called, and calls its own one ERR."""


def word_of(error: exceptions.RedisError) -> str:
    """Give the word by which the server names an error; empty for an error of the connection."""
    if isinstance(error, exceptions.BusyLoadingError):
        return "LOADING"
    if isinstance(error, exceptions.AuthenticationError):
        return "NOAUTH" if "required" in str(error) else "WRONGPASS"
    if not isinstance(error, exceptions.ResponseError):
        return ""
    quoted = _INSIDE_A_SCRIPT.search(str(error))
    return quoted.group(1) if quoted else error.status_code or str(error).partition(" ")[0]


def meaning_of(error: exceptions.RedisError | OSError, *, maybe_written: bool) -> BackendError:
    """Give the error of `regstack.errors` that callers see.

    Args:
        error: what the driver raised.
        maybe_written: a command that writes was on its way. Where the server answered with an
            error, it is known that nothing was written, since scripts decide before they write.
    """
    word = word_of(error) if isinstance(error, exceptions.RedisError) else ""
    if word:
        if word in _ADVICE:
            return BackendUnavailable(_ADVICE[word])
        return BackendError("Redis refused a command; the cause says why")
    if maybe_written:
        return BackendUnavailable(
            "the connection broke; the change may have been made or not", outcome_unknown=True
        )
    if isinstance(error, exceptions.TimeoutError):
        return BackendUnavailable("no connection within db_connect_timeout_seconds; is the server reachable?")
    if isinstance(error, exceptions.ConnectionError | OSError):
        return BackendUnavailable("Redis cannot be reached; is it running where database_url says?")
    return BackendError("the driver could not ask Redis; the cause says why")
