"""Where the client comes from: the database URL, or the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pymongo import AsyncMongoClient
from pymongo.errors import InvalidURI, PyMongoError
from pymongo.uri_parser import parse_uri

from regstack.errors import ConfigurationError

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig

Client = AsyncMongoClient[dict[str, Any]]

_SRV = "mongodb+srv://"
_UNREADABLE = (
    "database_url is not a MongoDB URL that the driver understands; write for example "
    "mongodb://user:password@host/database, with special characters of the password percent-encoded"
)


class UrlSource:
    """Makes a client for each event loop.

    Args:
        config: says which URL, and how long and how many.

    Attributes:
        database: name of the database: the URL's, else `mongodb_database`.

    Raises:
        ConfigurationError: the URL cannot be read.
    """

    owned = True

    def __init__(self, config: RegStackConfig) -> None:
        self._url = config.database_url.get_secret_value()
        named, given = _taken_apart(self._url)
        self.database = named or config.mongodb_database
        milliseconds = max(1, round(config.db_connect_timeout_seconds * 1000))
        options: dict[str, Any] = {
            "maxPoolSize": config.db_pool_size,
            "serverSelectionTimeoutMS": milliseconds,
            "connectTimeoutMS": milliseconds,
            "appname": "regstack",
        }
        self._options = {name: value for name, value in options.items() if name.lower() not in given}

    def client(self) -> Client:
        """Make a client of the running event loop; it connects when it is used."""
        try:
            return AsyncMongoClient(self._url, connect=False, tz_aware=True, **self._options)
        except (PyMongoError, ValueError, TypeError, OSError):
            # The driver's text may quote parts of the URL.
            raise ConfigurationError(_UNREADABLE) from None


class ClientSource:
    """Lends the host's own client, which stays open.

    Args:
        client: the host's.
        config: names the database, where the client has no default one.

    Attributes:
        database: name of the client's default database, else `mongodb_database`.
    """

    owned = False

    def __init__(self, client: Client, config: RegStackConfig) -> None:
        self._client = client
        self.database = client.get_default_database(config.mongodb_database).name

    def client(self) -> Client:
        """Give the host's client."""
        return self._client


Source = UrlSource | ClientSource


def _taken_apart(url: str) -> tuple[str | None, set[str]]:
    """Give the URL's database and the names of its options, lower case; asks no name server."""
    try:
        parts = urlsplit(url)
        given = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        if url.startswith(_SRV):
            name = unquote(parts.path.removeprefix("/")).partition(".")[0]
            if not parts.hostname or any(character in name for character in '/ "$\\'):
                raise InvalidURI("no host, or a name that no database can have")
            return name or None, given
        name = parse_uri(url)["database"]
    except (PyMongoError, ValueError, TypeError, OSError):
        raise ConfigurationError(_UNREADABLE) from None
    return name, given
