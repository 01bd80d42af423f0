"""Signed tokens: JSON Web Tokens, with one key for each purpose."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from regstack.errors import InvalidToken
from regstack.models.ids import is_id

if TYPE_CHECKING:
    from joserfc.jwk import GuestProtocol

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
_HEADER = frozenset({"alg", "kid", "typ"})
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says.

    Attributes:
        sub: the user's id.
        jti: the token's own id, by which it is revoked.
        ver: the user's `token_version` when it was signed.
        issued_at: UTC, milliseconds.
        expires_at: UTC, milliseconds.
        sid: reserved for server-side sessions.
        kid: the key that signed it (`regstack.auth.keys.KeyRing`).
    """

    sub: str
    jti: str
    ver: int
    issued_at: datetime
    expires_at: datetime
    sid: str | None = None
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token and what it says."""

    text: str = field(repr=False)
    claims: Claims


class JwtCodec:
    """Signs and checks tokens (RFC 7519; practices of RFC 8725).

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
            (purpose, kid): OctKey.import_key(keys.derive(f"jwt/{purpose}", kid))
            for purpose in _PURPOSES
            for kid in keys
        }

    def sign(
        self, purpose: str, *, sub: str, ver: int, ttl: timedelta, sid: str | None = None
    ) -> SignedToken:
        """Sign a token for a user that lives for `ttl` from now."""
        issued_at = self._clock.now()
        claims = Claims(
            sub=sub,
            jti=secrets.token_urlsafe(16),
            ver=ver,
            issued_at=issued_at,
            expires_at=issued_at + ttl,
            sid=sid,
            kid=self._current_kid,
        )
        payload: dict[str, Any] = {
            "sub": claims.sub,
            "jti": claims.jti,
            "ver": claims.ver,
            "iat": claims.issued_at.timestamp(),
            "exp": claims.expires_at.timestamp(),
            "purpose": purpose,
        }
        if sid is not None:
            payload["sid"] = sid
        if self._audience is not None:
            payload["aud"] = self._audience
        header = {"alg": self._algorithm, "kid": self._current_kid}
        key = self._keys[purpose, self._current_kid]
        return SignedToken(jwt.encode(header, payload, key, algorithms=[self._algorithm]), claims)

    def check(self, purpose: str, text: str) -> Claims:
        """Give what the token says.

        Raises:
            InvalidToken: anything at all is wrong with it.
        """
        if len(text) > MAX_LENGTH or not text.isascii():
            raise InvalidToken

        def find_key(token: GuestProtocol) -> OctKey:
            header = token.headers()
            if not header.keys() <= _HEADER:
                raise InvalidToken
            return self._keys[purpose, header["kid"]]

        try:
            token = jwt.decode(text, find_key, algorithms=[self._algorithm])
            return self._read(purpose, token.claims, token.header["kid"])
        except (JoseError, KeyError, ValueError, TypeError, OverflowError, RecursionError):
            raise InvalidToken from None

    def _read(self, purpose: str, payload: dict[str, Any], kid: str) -> Claims:
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
        return Claims(sub, jti, ver, _datetime(issued_at), _datetime(expires_at), sid, kid)


def _moment(value: object) -> float:
    if type(value) not in {int, float} or not math.isfinite(value) or not 0 <= value < _LATEST:  # type: ignore[arg-type, operator]
        raise InvalidToken
    return float(value)  # type: ignore[arg-type]


def _datetime(timestamp: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=round(timestamp * 1000))
