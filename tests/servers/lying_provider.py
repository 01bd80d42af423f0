"""An OpenID provider on loopback, in the test's own event loop, that says what it is told to say."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

ACCESS_TOKEN = "an-access-token"

Writer = asyncio.StreamWriter
Answer = bytes | Mapping[str, Any] | list[Any] | Callable[[Writer], Awaitable[None]]


@dataclass
class Request:
    """What a client asked for."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class LyingProvider:
    """Everything in it may be changed before a client asks.

    Attributes:
        key: what it signs with.
        metadata: its discovery document.
        published: its key set's keys.
        token: what the token endpoint answers, beside the ID token.
        nonce: what the ID token carries.
        claims: the ID token's claims, beside those; a value of None leaves one out.
        header: the same of its header.
        id_token: in place of all that, the token itself.
        answers: by path, in place of what it would say: the body, an object for JSON, or a function
            that writes to the connection itself.
        statuses: by path, in place of 200.
        requests: what was asked.
    """

    key: RSAKey = field(default_factory=lambda: RSA)
    metadata: dict[str, Any] = field(default_factory=dict)
    published: list[Any] = field(default_factory=list)
    token: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    id_token: str | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.issuer = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.published = [public(self.key, "one")]
        self.token = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 60}
        self.metadata = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        self._open: set[Writer] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    def asked(self, path: str) -> list[Request]:
        """Give the requests for a path."""
        return [request for request in self.requests if request.path == path]

    def all_claims(self) -> dict[str, Any]:
        """Give the claims that the next ID token carries."""
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "sub": "alice",
            "aud": "client",
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "email": "alice@example.com",
            "email_verified": True,
            "name": "Alice Adams",
        }
        return {name: value for name, value in (usual | self.claims).items() if value is not None}

    def signed(self, *, header: bytes | None = None, payload: bytes | None = None) -> str:
        """Give an ID token, signed as it should be, whatever it says."""
        usual = {"alg": "RS256", "kid": "one", "typ": "JWT"} | self.header
        written = json.dumps({name: value for name, value in usual.items() if value is not None})
        payload = json.dumps(self.all_claims()).encode() if payload is None else payload
        return rs256(written.encode() if header is None else header, payload, self.key)

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self._open.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await _read(reader)
            self.requests.append(request)
            answer = self.answers.get(request.path, self._usual(request.path))
            if callable(answer):
                await answer(writer)
            else:
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                status = self.statuses.get(request.path, 200)
                writer.write(head(status, f"Content-Length: {len(body)}") + body)
            await writer.drain()
        self._open.discard(writer)
        writer.close()

    def _usual(self, path: str) -> Answer:
        if path == "/token":
            return self.token | {"id_token": self.id_token or self.signed()}
        usual: dict[str, Answer] = {
            "/.well-known/openid-configuration": self.metadata,
            "/keys": {"keys": self.published},
            "/userinfo": {"sub": "alice", "email": "alice@example.com", "email_verified": True},
        }
        return usual.get(path, {})


async def _read(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, dict(parse_qsl(body.decode())))


def head(status: int, *headers: str) -> bytes:
    """Give the head of an answer."""
    lines = [f"HTTP/1.1 {status} X", "Connection: close", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def public(key: RSAKey | ECKey | OKPKey | OctKey, kid: str | None, **more: Any) -> dict[str, Any]:
    """Give a key as a key set shows it."""
    named = {"kid": kid} if kid is not None else {}
    return {**key.as_dict(private=False), **named, **more}


def rs256(header: bytes, payload: bytes, key: RSAKey) -> str:
    """Sign any bytes."""
    signed = f"{_b64(header)}.{_b64(payload)}"
    return f"{signed}.{_b64(key.private_key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def hs256(header: bytes, payload: bytes, secret: bytes) -> str:
    """Sign any bytes with a shared secret."""
    signed = f"{_b64(header)}.{_b64(payload)}"
    return f"{signed}.{_b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def unsigned(header: bytes, payload: bytes) -> str:
    """Leave the signature out."""
    return f"{_b64(header)}.{_b64(payload)}."


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


RSA = RSAKey.generate_key(2048)
OTHER_RSA = RSAKey.generate_key(2048)
