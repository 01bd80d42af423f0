"""Real servers on loopback."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from regstack.config.schema import EmailConfig
from tests.servers.http_stand_in import StandIn, standing_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

USER, PASSWORD = "mailer", "correct horse battery staple"


@dataclass
class Sink:
    """An SMTP server that keeps what arrives.

    Attributes:
        config: settings that reach it.
        tls: what a client must trust.
        mails: what arrived.
        commands: how many mails and recipients were offered, refused ones included.
        data_replies, rcpt_replies: answers to the next mails or recipients, in place of "250 OK".
    """

    config: EmailConfig
    tls: ssl.SSLContext
    mails: list[Envelope] = field(default_factory=list)
    offered: int = 0
    data_replies: list[str] = field(default_factory=list)
    rcpt_replies: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802
        self.offered += 1
        if self.rcpt_replies:
            return self.rcpt_replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        if self.data_replies:
            return self.data_replies.pop(0)
        self.mails.append(envelope)
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_tls(authority) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def _settings(server: asyncio.Server, **values: Any) -> EmailConfig:
    port = server.sockets[0].getsockname()[1]
    values = {"smtp_starttls": False, "smtp_timeout_seconds": 5.0, **values}
    return EmailConfig(backend="smtp", smtp_host="127.0.0.1", smtp_port=port, **values)


@pytest.fixture
def smtp_sink(server_tls, client_tls) -> Callable[..., Any]:
    """Opens a server: `async with smtp_sink("plain" | "starttls" | "implicit" | "login") as sink`.

    Other keyword arguments become settings.
    """

    @asynccontextmanager
    async def serve(kind: str = "plain", *, smtputf8: bool = True, **values: Any) -> AsyncIterator[Sink]:
        options: dict[str, Any] = {"enable_SMTPUTF8": smtputf8, "hostname": "sink.test"}
        if kind in {"starttls", "login"}:
            options |= {"tls_context": server_tls, "require_starttls": True}
            values.setdefault("smtp_starttls", True)
        if kind == "login":
            options |= {"auth_required": True, "authenticator": _check_login}
            values = {"smtp_username": USER, "smtp_password": PASSWORD, **values}
        sink = Sink(EmailConfig(), client_tls)
        server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(sink, **options),
            "127.0.0.1",
            0,
            ssl=server_tls if kind == "implicit" else None,
        )
        sink.config = _settings(server, **values)
        async with server:
            yield sink

    return serve


def _check_login(server, session, envelope, mechanism, data) -> AuthResult:
    good = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@pytest.fixture
def smtp_script() -> Callable[..., Any]:
    """Opens a server that is a script: `async with smtp_script(talk) as config`.

    `talk(reader, writer)` is called for each connection, which is closed when it returns.
    """
    connections: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def serve(
        talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **values: Any
    ) -> AsyncIterator[EmailConfig]:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            try:
                await talk(reader, writer)
            except ConnectionError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        async with server:
            yield _settings(server, **values)

    return serve


AWS_KEY_ID, AWS_SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
"""The example of Amazon's own documentation."""


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Opens a stand-in for Amazon: `async with amazon() as server`, with credentials in the environment."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", AWS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_SECRET)

    @asynccontextmanager
    async def serve() -> AsyncIterator[StandIn]:
        async with standing_in() as server:
            for service in ("SESV2", "SNS", "STS"):
                monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server.url)
            yield server

    return serve
