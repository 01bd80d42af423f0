"""Where the servers are, read from the database URL."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

Host = tuple[str, int | None]

_EXAMPLE = "postgresql://user@host:5432/database"
_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "primary", "read-write", "standby", "prefer-standby", "read-only"),
    "gsslib": ("gssapi", "sspi"),
}
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_DRIVERS_OWN = (
    *_CHOICES,
    *_FILES,
    "host",
    "port",
    "dbname",
    "database",
    "user",
    "password",
    "passfile",
    "service",
    "sslpassword",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "krbsrvname",
)
_SERVERS_OWN = (
    "application_name",
    "search_path",
    "options",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "client_connection_check_interval",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_keepalives_count",
    "tcp_user_timeout",
    "synchronous_commit",
)
_INSTEAD = {"ssl": "sslmode", "connect_timeout": "", "command_timeout": "", "timeout": ""}


@dataclass(frozen=True, slots=True)
class Address:
    """A database URL, checked.

    Attributes:
        dsn: what the driver reads, with the URL's options.
        hosts: the servers in the URL's order, each with its port if one is written; empty where
            the driver's own defaults and environment decide.
        options: the URL's options.
    """

    dsn: str
    hosts: tuple[Host, ...]
    options: Mapping[str, str]

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL, without I/O.

        Raises:
            ConfigurationError: it cannot work; the message quotes nothing of it, since a password
                with a stray `@` or `?` may end up in any of its parts.
        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
            raise ConfigurationError(f"database_url is no PostgreSQL URL; write for example {_EXAMPLE}")
        dsn = f"postgresql://{rest}"
        try:
            parts = urlsplit(dsn)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise ConfigurationError(
                f"database_url cannot be read; write for example {_EXAMPLE}, "
                "and percent-encode special characters of user and password"
            ) from None
        if parts.fragment or parts.netloc.count("@") > 1:
            raise ConfigurationError(
                "database_url has a stray # or @; percent-encode special characters of user and password "
                "(%23 and %40)"
            )
        options = _checked(pairs)
        hosts = _hosts(parts.netloc.rpartition("@")[2], None) or _hosts(
            options.get("host", ""), options.get("port")
        )
        return cls(dsn, hosts, options)

    def missing_file(self) -> str | None:
        """Give the option that names a file which is not there or cannot be read, if there is one."""
        for option in _FILES:
            try:
                if option in self.options:
                    Path(self.options[option]).open("rb").close()
            except OSError:
                return option
        return None


def _checked(pairs: list[tuple[str, str]]) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in pairs:
        if name in _INSTEAD:
            raise ConfigurationError(
                f"database_url has the option {name}; write sslmode instead, for example sslmode=verify-full"
                if _INSTEAD[name]
                else f"database_url has the option {name}; "
                "set db_timeout_seconds or db_connect_timeout_seconds instead"
            )
        if name not in _DRIVERS_OWN and name not in _SERVERS_OWN:
            close = difflib.get_close_matches(name, (*_DRIVERS_OWN, *_SERVERS_OWN), 1, cutoff=0.8)
            raise ConfigurationError(
                "database_url has an option that is not known; "
                + (f"is {close[0]} meant? " if close else "")
                + f"Options are {', '.join(sorted(_DRIVERS_OWN))}, and of the server's "
                f"{', '.join(_SERVERS_OWN)}. Write ? and & in a password as %3F and %26"
            )
        if name in options:
            raise ConfigurationError(
                f"database_url has the option {name} twice; write it once"
                + (", with commas between the hosts" if name in {"host", "port"} else "")
            )
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ConfigurationError(
                f"the option {name} of database_url must be one of {', '.join(_CHOICES[name])}"
            )
        options[name] = value
    if options.get("sslnegotiation") == "direct" and options.get("sslmode") not in _CHOICES["sslmode"][3:]:
        raise ConfigurationError(
            "sslnegotiation=direct in database_url needs sslmode=require, verify-ca or verify-full"
        )
    return options


def _hosts(text: str, ports: str | None) -> tuple[Host, ...]:
    if not text:
        return ()
    written = text.split(",")
    try:
        given = [int(port) for port in ports.split(",")] if ports else [None] * len(written)
        if len(given) == 1:
            given *= len(written)
        return tuple(_host(each, port) for each, port in zip(written, given, strict=True))
    except ValueError:
        raise ConfigurationError(
            "the hosts of database_url cannot be read; write host:port, with commas between several, "
            "and percent-encode special characters of user and password"
        ) from None


def _host(text: str, port: int | None) -> Host:
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        if rest[:1] not in {"", ":"}:
            raise ValueError
        written = rest[1:]
    elif unquote(text).startswith("/"):
        name, written = text, ""
    else:
        name, _, written = text.partition(":")
    if not name:
        raise ValueError
    number = int(written) if written else port
    if number is not None and not 0 < number < 65536:
        raise ValueError
    return unquote(name), number
