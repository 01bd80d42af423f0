"""ID tokens: who signed in, signed by the provider (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import hashlib
import hmac
import math
from base64 import urlsafe_b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from regstack.errors import InvalidText, OAuthRejected
from regstack.models.text import check_text
from regstack.oauth.key_set import ALGORITHMS
from regstack.oauth.strict_json import read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.auth.clock import Clock
    from regstack.oauth.key_set import KeySet

MAX_LENGTH = 64 * 1024
"""Characters of an ID token."""

LEEWAY_SECONDS = 60
"""How far the provider's clock and ours may be apart.

Machines that keep their time are seconds apart at the most, and some providers sign with an `iat` of
the next second. A minute more of life gives nothing away: the nonce lets a token into one flow alone.
"""

MAX_SUBJECT = 255  # section 2

_TYPES = frozenset({"jwt", "application/jwt", "id_token+jwt"})


class _Registry(JWSRegistry):
    max_header_length = 4096
    max_payload_length = MAX_LENGTH
    max_signature_length = 2048

    def __init__(self) -> None:
        # Providers add members to their headers; one that must be understood stands in `crit`.
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        # joserfc warns of "EdDSA" since RFC 9864 names each curve; OpenID providers write it still.
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_FAULTS: Final = (JoseError, Base64Error, KeyError, TypeError, ValueError, OverflowError)


class IdTokenChecker:
    """Checks ID tokens for one client of one provider.

    Args:
        keys: the provider's.
        clock: where the time comes from.
        client_id: whom tokens must be for.
        issuer_of: gives the issuer that a token with these claims must name.
    """

    def __init__(
        self, keys: KeySet, clock: Clock, client_id: str, issuer_of: Callable[[dict[str, Any]], str]
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._client_id = client_id
        self._issuer_of = issuer_of
        self._registry = _Registry()

    async def check(
        self, text: object, jwks_uri: str, *, nonce: str, access_token: str | None
    ) -> dict[str, Any]:
        """Give the claims of a token.

        Raises:
            OAuthUnavailable: the provider's keys cannot be had.
            OAuthRejected: anything is wrong with it; the reason says what.
        """
        if not isinstance(text, str) or len(text) > MAX_LENGTH or not text.isascii():
            raise OAuthRejected("ID token: missing or too long")
        header = _read_header(text)
        key, members = await self._keys.find(jwks_uri, header["alg"], header.get("kid"))
        try:
            payload = jws.deserialize_compact(text, key, registry=self._registry).payload
            claims = read_json(payload)
        except _FAULTS:
            raise OAuthRejected("ID token: bad signature or form") from None
        if not isinstance(claims, dict):
            raise OAuthRejected("ID token: not an object")
        self._check_claims(claims, nonce)
        _check_key_issuer(claims, members)
        if "at_hash" in claims:
            _check_half_hash(claims["at_hash"], access_token, header["alg"], members)
        return claims

    def _check_claims(self, claims: dict[str, Any], nonce: str) -> None:
        if claims.get("iss") != self._issuer_of(claims):
            raise OAuthRejected("ID token: another issuer")
        self._check_audience(claims.get("aud"), claims.get("azp"))
        sent = claims.get("nonce")
        if not isinstance(sent, str) or not _are_equal(sent, nonce):
            raise OAuthRejected("ID token: another nonce")
        self._check_times(claims)
        _check_subject(claims.get("sub"))

    def _check_audience(self, audience: object, party: object) -> None:
        audiences = audience if isinstance(audience, list) else [audience]
        if self._client_id not in audiences:
            raise OAuthRejected("ID token: another audience")
        if (len(audiences) > 1 or party is not None) and party != self._client_id:
            raise OAuthRejected("ID token: made out to another party")

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._clock.now().timestamp()
        expires_at, issued_at, not_before = (claims.get(name) for name in ("exp", "iat", "nbf"))
        if not _is_number(expires_at) or not _is_number(issued_at):
            raise OAuthRejected("ID token: without its times")
        if now >= expires_at + LEEWAY_SECONDS:
            raise OAuthRejected("ID token: expired")
        if issued_at > now + LEEWAY_SECONDS:
            raise OAuthRejected("ID token: issued in the future")
        if not_before is not None and not (_is_number(not_before) and not_before <= now + LEEWAY_SECONDS):
            raise OAuthRejected("ID token: not valid yet")


def _read_header(text: str) -> dict[str, Any]:
    try:
        segment, _, _ = text.split(".")
        header = read_json(urlsafe_b64decode(segment.encode("ascii")))
    except _FAULTS:
        raise OAuthRejected("ID token: bad form") from None
    if not isinstance(header, dict) or "crit" in header:
        raise OAuthRejected("ID token: a header that is not understood")
    alg, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise OAuthRejected("ID token: an algorithm that is not accepted")
    # Tokens for other uses say so (RFC 8725, section 3.11): at+jwt, logout+jwt.
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise OAuthRejected("ID token: a token of another kind")
    if kid is not None and not isinstance(kid, str):
        raise OAuthRejected("ID token: bad form")
    return header


def _check_key_issuer(claims: dict[str, Any], key: dict[str, Any]) -> None:
    # Microsoft publishes keys for all its tenants together, and says for whose tokens each is.
    owner = key.get("issuer")
    if isinstance(owner, str) and owner.replace("{tenantid}", str(claims.get("tid"))) != claims["iss"]:
        raise OAuthRejected("ID token: signed with another issuer's key")


def _check_half_hash(value: object, access_token: str | None, alg: str, key: dict[str, Any]) -> None:
    if alg in {"EdDSA", "Ed25519"}:
        # The hash inside the signature itself: SHAKE256 of 114 bytes for Ed448 (RFC 8032).
        octets = (access_token or "").encode()
        digest = (
            hashlib.shake_256(octets).digest(114)
            if key.get("crv") == "Ed448"
            else hashlib.sha512(octets).digest()
        )
    else:
        digest = hashlib.new(f"sha{alg[2:]}", (access_token or "").encode()).digest()
    expected = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if access_token is None or not isinstance(value, str) or not _are_equal(value, expected):
        raise OAuthRejected("ID token: made out for another access token")


def _check_subject(subject: object) -> None:
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise OAuthRejected("ID token: without its subject")
    try:
        check_text(subject)
    except InvalidText:
        raise OAuthRejected("ID token: without its subject") from None


def _are_equal(theirs: str, ours: str) -> bool:
    return hmac.compare_digest(theirs.encode(errors="replace"), ours.encode())


def _is_number(value: object) -> TypeGuard[int | float]:
    # 1e999 is JSON, and infinite.
    return type(value) is int or (type(value) is float and math.isfinite(value))
