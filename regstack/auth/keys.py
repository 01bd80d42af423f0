"""Keys derived from the application's secret, one for each purpose."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEY_BYTES = 64
"""Length of a derived key; enough for HS512 (RFC 7518, section 3.2)."""


class KeyRing:
    """The current root secret, which signs, and earlier ones, which only verify.

    Args:
        secret: the current root secret.
        previous: earlier root secrets.
    """

    def __init__(self, secret: str, previous: Iterable[str] = ()) -> None:
        roots = [secret.encode(), *(earlier.encode() for earlier in previous)]
        self._roots = {_derive(root, "kid")[:8].hex(): root for root in roots}
        self.current_kid = next(iter(self._roots))
        self._derived: dict[tuple[str, str], bytes] = {}

    def __iter__(self) -> Iterator[str]:
        """Go through the key ids, the current one first."""
        return iter(self._roots)

    def derive(self, purpose: str, kid: str | None = None) -> bytes:
        """Derive the key for one purpose (HKDF-SHA256, RFC 5869), once; there are few purposes.

        Args:
            purpose: what the key is for; keys of two purposes say nothing about each other.
            kid: which root; the current one where it is not given.

        Raises:
            KeyError: no root has this key id.
        """
        kid = kid or self.current_kid
        key = self._derived.get((purpose, kid))
        if key is None:
            key = self._derived[purpose, kid] = _derive(self._roots[kid], purpose)
        return key

    def fingerprint(self, purpose: str, value: str, kid: str | None = None) -> str:
        """Give a keyed hash (HMAC-SHA256, hex) under which storage may know a guessable value.

        Args:
            purpose: what the key is for.
            value: the guessable value.
            kid: which root; the current one where it is not given.

        Raises:
            KeyError: no root has this key id.
        """
        return hmac.digest(self.derive(purpose, kid), value.encode("utf-8"), "sha256").hex()


def _derive(root: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"regstack/1/" + purpose.encode()).derive(root)
