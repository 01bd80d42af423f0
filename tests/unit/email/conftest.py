"""Real SMTP servers on loopback."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from regstack.config.schema import EmailConfig
from regstack.email.smtp import SmtpEmailService

USER, PASSWORD = "mailer", "correct horse battery staple"


@dataclass
class Sink:
    """Keeps what arrives; `replies` are given to the next mails in place of an acceptance."""

    port: int = 0
    mails: list[Envelope] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    recipient_replies: list[str] = field(default_factory=list)
    sessions: list[Any] = field(default_factory=list)

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802
        if self.recipient_replies:
            return self.recipient_replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        if self.replies:
            return self.replies.pop(0)
        self.mails.append(envelope)
        self.sessions.append(session)
        return "250 OK"


class QuietServer(SMTP):
    """Ends its conversation without a word when the client hangs up."""

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)


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


class _Controller(Controller):
    """Binds a free port and says which."""

    def _create_server(self) -> Any:
        return self.loop.create_server(
            self._factory_invoker, host=self.hostname, port=0, ssl=self.ssl_context
        )

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def running(sink: Sink, **options: Any) -> Iterator[Sink]:
    controller = _Controller(sink, hostname="127.0.0.1", port=0, **options)
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()


def check_login(server, session, envelope, mechanism, data) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=good, handled=good)


@pytest.fixture
def plain_sink() -> Iterator[Sink]:
    with running(Sink()) as sink:
        yield sink


@pytest.fixture
def starttls_sink(server_tls) -> Iterator[Sink]:
    with running(Sink(), tls_context=server_tls, require_starttls=True) as sink:
        yield sink


@pytest.fixture
def implicit_tls_sink(server_tls) -> Iterator[Sink]:
    with running(Sink(), ssl_context=server_tls) as sink:
        yield sink


@pytest.fixture
def login_sink(server_tls) -> Iterator[Sink]:
    with running(
        Sink(),
        tls_context=server_tls,
        require_starttls=True,
        auth_required=True,
        authenticator=check_login,
    ) as sink:
        yield sink


def settings(sink: Sink, **values: Any) -> EmailConfig:
    return EmailConfig(
        backend="smtp",
        smtp_host="127.0.0.1",
        smtp_port=sink.port,
        **{"smtp_starttls": False, "smtp_timeout_seconds": 5.0, **values},
    )


@pytest.fixture
def plain_service(plain_sink) -> SmtpEmailService:
    return SmtpEmailService(settings(plain_sink))
