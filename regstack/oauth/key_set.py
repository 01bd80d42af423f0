"""A provider's public keys (RFC 7517), and which of them may have signed."""

from __future__ import annotations

from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from regstack.errors import OAuthRejected
from regstack.oauth.remembered import Remembered

if TYPE_CHECKING:
    from regstack.oauth.fetch import Fetcher

PublicKey = RSAKey | ECKey | OKPKey

MIN_RSA_BITS = 2048  # RFC 7518, section 3.3
MAX_RSA_BITS = 8192
MAX_KEYS = 100

_CURVES: Final = {
    "ES256": ("EC", {"P-256"}),
    "ES384": ("EC", {"P-384"}),
    "ES512": ("EC", {"P-521"}),
    "EdDSA": ("OKP", {"Ed25519", "Ed448"}),
    "Ed25519": ("OKP", {"Ed25519"}),
}
_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})

ALGORITHMS: Final = frozenset({*_CURVES, *_RSA})
"""Signatures that are accepted. None is made with a shared secret, so that no public key can be taken
for one, and `none` is not among them (RFC 8725, sections 3.1 and 3.2)."""

_TYPES: Final[dict[str, type[PublicKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_FAULTS = (JoseError, Base64Error, KeyError, TypeError, ValueError, OverflowError)


class KeySet:
    """Keys of a provider, fetched when a signature is to be checked."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._url: str | None = None
        self._keys: Remembered[list[dict[str, Any]]] = Remembered(self._fetch)

    async def find(self, url: str, alg: str, kid: str | None) -> tuple[PublicKey, dict[str, Any]]:
        """Give the one key that may have made this signature, and its members.

        Where no key has the `kid`, the provider may have changed its keys: it is asked again.

        Args:
            url: the provider's `jwks_uri`.
            alg: of the signature, one of `ALGORITHMS`.
            kid: as the signature names its key; None where it names none.

        Raises:
            OAuthUnavailable: the keys cannot be had.
            OAuthRejected: there is no such key, or more than one.
        """
        if url != self._url:
            self._url, self._keys = url, Remembered(self._fetch)
        keys = await self._keys.get()
        if kid is not None and all(key.get("kid") != kid for key in keys):
            keys = await self._keys.renew() or []
        fitting = [key for key in keys if (kid is None or key.get("kid") == kid) and _fits(key, alg)]
        if len(fitting) != 1:
            what = "no key" if not fitting else "more than one key"
            raise OAuthRejected(f"ID token: {what} of the provider fits its header")
        members = fitting[0]
        try:
            return _TYPES[members["kty"]].import_key(_public_part(members)), members
        except _FAULTS:
            raise OAuthRejected("ID token: the provider's key is broken") from None

    async def aclose(self) -> None:
        """Break off what is under way."""
        await self._keys.aclose()

    async def _fetch(self) -> list[dict[str, Any]]:
        document = await self._fetcher.get("keys", self._url or "")
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list) or len(keys) > MAX_KEYS:
            raise OAuthRejected("keys: not a set of keys")
        return [key for key in keys if isinstance(key, dict)]


def _fits(key: dict[str, Any], alg: str) -> bool:
    if key.get("alg", alg) != alg or key.get("use", "sig") != "sig":
        return False
    operations = key.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return False
    if alg in _RSA:
        return key.get("kty") == "RSA" and MIN_RSA_BITS <= _rsa_bits(key) <= MAX_RSA_BITS
    kty, curves = _CURVES[alg]
    return key.get("kty") == kty and isinstance(key.get("crv"), str) and key["crv"] in curves


def _rsa_bits(key: dict[str, Any]) -> int:
    try:
        return int.from_bytes(urlsafe_b64decode(key["n"].encode("ascii"))).bit_length()
    except (*_FAULTS, AttributeError):
        return 0


def _public_part(key: dict[str, Any]) -> dict[str, Any]:
    return {name: key[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in key}
