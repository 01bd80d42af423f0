"""TLS by the URL's options."""

from __future__ import annotations

import asyncio
import ssl
import struct
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from regstack.errors import BackendUnavailable, ConfigurationError
from regstack_postgres.backend import PostgresBackend

pytestmark = pytest.mark.anyio

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
NO_ENCRYPTION = b"SFATAL\0C28000\0Mno pg_hba.conf entry, no encryption\0\0"


@dataclass
class Secured:
    """A server that takes TLS connections only, with a certificate for localhost.

    The packaged server is built without TLS, so a proxy before it ends the encryption.
    """

    port: int
    authority: Path
    other_authority: Path
    encrypted: int = 0

    def url(self, options: str, host: str = "localhost") -> str:
        return f"postgresql://postgres:s3cret@{host}:{self.port}/postgres?{options}"


@pytest.fixture
async def secured(postgres_url: str, tmp_path: Path) -> AsyncIterator[Secured]:
    authority, other, target = trustme.CA(), trustme.CA(), urlsplit(postgres_url)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(8) != SSL_REQUEST:
                writer.write(b"E" + struct.pack("!i", len(NO_ENCRYPTION) + 4) + NO_ENCRYPTION)
                writer.close()
                return
            writer.write(b"S")
            await writer.start_tls(context)
            secured.encrypted += 1
            back_reader, back_writer = await asyncio.open_connection(target.hostname, target.port)
            await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    secured = Secured(server.sockets[0].getsockname()[1], tmp_path / "ca.pem", tmp_path / "other.pem")
    async with server:
        yield secured


@pytest.mark.parametrize("sslmode", ["verify-full", "verify-ca", "require", "prefer"])
async def test_a_verified_connection_is_encrypted(
    secured: Secured, build: Callable[..., PostgresBackend], sslmode: str
) -> None:
    trust = f"&sslrootcert={secured.authority}" if sslmode.startswith("verify") else ""
    backend = build(database_url=secured.url(f"sslmode={sslmode}{trust}"))
    assert (await backend.ping()).server_version
    assert secured.encrypted == 1
    await backend.aclose()


@pytest.mark.parametrize(
    ("host", "trusted"),
    [("localhost", "other_authority"), ("127.0.0.1", "authority")],
    ids=["issuer", "name"],
)
async def test_a_certificate_of_somebody_else_ends_it_before_the_password(
    secured: Secured, build: Callable[..., PostgresBackend], host: str, trusted: str
) -> None:
    options = f"sslmode=verify-full&sslrootcert={getattr(secured, trusted)}"
    backend = build(database_url=secured.url(options, host), db_timeout_seconds=2)
    with pytest.raises(BackendUnavailable, match="TLS") as caught:
        await backend.ping()
    assert secured.encrypted == 0
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


async def test_a_connection_without_tls_is_refused_by_such_a_server(
    secured: Secured, build: Callable[..., PostgresBackend]
) -> None:
    with pytest.raises(BackendUnavailable, match="sslmode"):
        await build(database_url=secured.url("sslmode=disable")).ping()


async def test_a_file_that_is_not_there_is_named_by_its_option(
    secured: Secured, build: Callable[..., PostgresBackend]
) -> None:
    backend = build(database_url=secured.url("sslmode=verify-full&sslrootcert=/no/such/s3cret.pem"))
    with pytest.raises(ConfigurationError, match="the option sslrootcert"):
        await backend.ping()


async def test_verification_without_an_authority_says_what_to_write(
    secured: Secured,
    build: Callable[..., PostgresBackend],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="write sslrootcert"):
        await build(database_url=secured.url("sslmode=verify-full")).ping()


async def test_a_server_without_tls_is_refused_where_it_is_demanded(
    build: Callable[..., PostgresBackend], url: str
) -> None:
    with pytest.raises(BackendUnavailable):
        await build(database_url=f"{url}?sslmode=require", db_timeout_seconds=2).ping()
