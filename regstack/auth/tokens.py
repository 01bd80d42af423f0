"""Signed tokens: JSON Web Tokens, with one key for each purpose."""

from __future__ import annotations

import base64
import hmac
import json
import math
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from regstack.errors import InvalidToken
from regstack.models.ids import is_id

if TYPE_CHECKING:
    from regstack.auth.clock import Clock
    from regstack.auth.keys import KeyRing

ACCESS: Final = "access"
"""Purpose of an access token."""

MFA: Final = "mfa"
"""Purpose of a half-finished sign-in."""

PHONE: Final = "phone"
"""Purpose of a phone set-up."""

MAX_LENGTH = 4096
"""Characters of a token; a longer one is refused unread."""

_PURPOSES = (ACCESS, MFA, PHONE)
_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says.

    Attributes:
        sub: the user's id.
        jti: the token's own id, by which it is revoked.
        ver: the user's `token_version` when it was signed.
        iat: when it was signed, in seconds since 1970; `issued_at` is the same as a datetime.
        exp: when it ends, in seconds since 1970; `expires_at` is the same as a datetime.
        sid: reserved for server-side sessions.
        kid: the key that signed it (`regstack.auth.keys.KeyRing`).
    """

    sub: str
    jti: str
    ver: int
    iat: float
    exp: float
    sid: str | None = None
    kid: str | None = None

    @property
    def issued_at(self) -> datetime:
        """When it was signed: UTC, milliseconds."""
        return _datetime(self.iat)

    @property
    def expires_at(self) -> datetime:
        """When it ends: UTC, milliseconds."""
        return _datetime(self.exp)


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token and what it says."""

    text: str = field(repr=False)
    claims: Claims


class JwtCodec:
    """Signs and checks tokens (RFC 7519, in the compact form of RFC 7515; practices of RFC 8725).

    Every fault of a token, whatever it is, raises the same `InvalidToken`. There is no leeway:
    `exp` must lie ahead and `iat` must not. The key is found by `kid` and purpose alone, so a
    token of one purpose never passes for another.

    Args:
        keys: root secrets.
        clock: where the time comes from.
        algorithm: HS256, HS384 or HS512; a token with another is refused.
        audience: `aud` to write and to require; None writes none and refuses any.
    """

    def __init__(
        self, keys: KeyRing, clock: Clock, *, algorithm: str = "HS256", audience: str | None = None
    ) -> None:
        self._clock = clock
        self._algorithm = algorithm
        self._audience = audience
        self._current_kid = keys.current_kid
        self._keys = {
            (purpose, kid): keys.derive(f"jwt/{purpose}", kid) for purpose in _PURPOSES for kid in keys
        }
        # All tokens of a key begin with the same header.
        self._read_header = lru_cache(maxsize=64)(self._kid_of)

    def sign(
        self, purpose: str, *, sub: str, ver: int, ttl: timedelta, sid: str | None = None
    ) -> SignedToken:
        """Sign a token for a user that lives for `ttl` from now."""
        issued_at = self._clock.now()
        claims = Claims(
            sub=sub,
            jti=secrets.token_urlsafe(16),
            ver=ver,
            iat=issued_at.timestamp(),
            exp=(issued_at + ttl).timestamp(),
            sid=sid,
            kid=self._current_kid,
        )
        payload: dict[str, Any] = {
            "sub": claims.sub,
            "jti": claims.jti,
            "ver": claims.ver,
            "iat": claims.iat,
            "exp": claims.exp,
            "purpose": purpose,
        }
        if sid is not None:
            payload["sid"] = sid
        if self._audience is not None:
            payload["aud"] = self._audience
        header = {"alg": self._algorithm, "typ": "JWT", "kid": self._current_kid}
        signed = f"{_encode_json(header)}.{_encode_json(payload)}"
        signature = self._signature(signed, self._keys[purpose, self._current_kid])
        return SignedToken(f"{signed}.{signature}", claims)

    def check(self, purpose: str, text: str) -> Claims:
        """Give what the token says.

        Every request pays for this. The header is the one that `sign` writes, or the token is
        refused, so none of the choices that a token could offer is ever looked at.

        Raises:
            InvalidToken: anything at all is wrong with it.
        """
        if len(text) > MAX_LENGTH or not text.isascii():
            raise InvalidToken
        try:
            header, payload, signature = text.split(".")
            kid = self._read_header(header)
            expected = self._signature(f"{header}.{payload}", self._keys[purpose, kid])
            if not hmac.compare_digest(expected, signature):
                raise InvalidToken
            return self._read(_decode(payload), purpose, kid)
        except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
            raise InvalidToken from None

    def _signature(self, signed: str, key: bytes) -> str:
        """Sign text with HMAC (RFC 7518, section 3.2)."""
        return _encode(hmac.digest(key, signed.encode(), _HASHES[self._algorithm]))

    def _kid_of(self, header: str) -> str:
        fields = _decode(header)
        kid = fields["kid"]
        if not isinstance(kid, str) or fields != {"alg": self._algorithm, "typ": "JWT", "kid": kid}:
            raise InvalidToken
        return kid

    def _read(self, payload: dict[str, Any], purpose: str, kid: str) -> Claims:
        now = self._clock.now().timestamp()
        issued_at, expires_at = _moment(payload["iat"]), _moment(payload["exp"])
        sub, jti, ver, sid = payload["sub"], payload["jti"], payload["ver"], payload.get("sid")
        valid = (
            payload["purpose"] == purpose
            and payload.get("aud") == self._audience
            and issued_at <= now < expires_at
            and isinstance(sub, str)
            and is_id(sub)
            and isinstance(jti, str)
            and 0 < len(jti) <= 64
            and type(ver) is int
            and ver >= 0
            and (sid is None or isinstance(sid, str))
        )
        if not valid:
            raise InvalidToken
        return Claims(sub, jti, ver, issued_at, expires_at, sid, kid)


def _decode(part: str) -> dict[str, Any]:
    """Read a part that is JSON in base64url without padding (RFC 7515, section 2)."""
    value = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True))
    if not isinstance(value, dict):
        raise InvalidToken
    return value


def _encode_json(part: dict[str, Any]) -> str:
    return _encode(json.dumps(part, separators=(",", ":")).encode())


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _moment(value: object) -> float:
    if type(value) not in {int, float} or not math.isfinite(value) or not 0 <= value < _LATEST:  # type: ignore[arg-type, operator]
        raise InvalidToken
    return float(value)  # type: ignore[arg-type]


def _datetime(timestamp: float) -> datetime:
    return _EPOCH + timedelta(milliseconds=round(timestamp * 1000))
