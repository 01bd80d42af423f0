"""Database URLs: what is read from them, and what is refused without being quoted."""

from __future__ import annotations

import pytest

from regstack.errors import ConfigurationError
from regstack_postgres.address import Address


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://u:p@db/x", (("db", None),)),
        ("postgres://db:6432/x", (("db", 6432),)),
        ("postgresql+asyncpg://u@one:1,two,[::1]:3/x", (("one", 1), ("two", None), ("::1", 3))),
        ("postgresql:///x?host=one,two&port=1,2", (("one", 1), ("two", 2))),
        ("postgresql:///x?host=one,two&port=7", (("one", 7), ("two", 7))),
        ("postgresql:///x?host=/run/postgresql", (("/run/postgresql", None),)),
        ("postgresql://u@%2Frun%2Fpostgresql/x", (("/run/postgresql", None),)),
        ("postgresql:///x", ()),
        ("postgresql://u:a%40b%3Fc@db/x", (("db", None),)),
    ],
)
def test_hosts_are_read_in_their_order(url: str, hosts: tuple[object, ...]) -> None:
    address = Address.parse(url)
    assert address.hosts == hosts
    assert address.dsn == "postgresql://" + url.partition("://")[2]


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("postgresql://u:s3cret@h/x?sslmod=require", "is sslmode meant"),
        ("postgresql://u:s3cret@h/x?ssl=true", "write sslmode instead"),
        ("postgresql://u:s3cret@h/x?connect_timeout=3", "db_connect_timeout_seconds"),
        ("postgresql://u:s3cret@h/x?sslmode=s3cret", "one of disable, allow"),
        ("postgresql://u:s3cret@h/x?target_session_attrs=s3cret", "one of any, primary"),
        ("postgresql://u:s3cret@h/x?sslnegotiation=direct", "needs sslmode"),
        ("postgresql://u:s3cret@h/x?host=a&host=b", "commas"),
        ("postgresql://u:s3cret@h/x?novalue", "cannot be read"),
        ("postgresql://u:s3cret@h:s3cret/x", "host:port"),
        ("postgresql://u:s3cret@h:99999/x", "host:port"),
        ("postgresql://u:s3cret@h,,i/x", "host:port"),
        ("postgresql://u:s3cret@[::1/x", "cannot be read"),
        ("postgresql://u:s3@cret@h/x", "%40"),
        ("postgresql://u:s3#cret@h/x", "host:port|%23"),
        ("postgresql://u:x?s3cret=y@h/x", "%3F"),
        ("mysql://u:s3cret@h/x", "postgresql://user@host"),
        ("s3cret", "postgresql://user@host"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_write(url: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice) as caught:
        Address.parse(url)
    assert "s3" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
