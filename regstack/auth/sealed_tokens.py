"""One-time tokens that say whose they are."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from regstack.auth.one_time import new_token

if TYPE_CHECKING:
    from regstack.auth.keys import KeyRing

_FORM = re.compile(r"(?P<said>(?P<user_id>[0-9a-f-]{36})[A-Za-z0-9_-]{43})(?P<seal>[0-9a-f]{64})")


class SealedTokens:
    """Makes tokens by which an account can be found before they are used up.

    A token is the account's id (36 characters), a one-time token (43) and a keyed hash of both
    (64). Without that seal anybody could put the id of any account before a token of their own
    making, and, with as many of them as they like, guess its password for as long as they like.

    Args:
        keys: key of the seal; those of earlier secrets still count.
        purpose: what the tokens are for; those of another purpose are none.
    """

    def __init__(self, keys: KeyRing, purpose: str) -> None:
        self._keys = keys
        self._purpose = purpose

    def new(self, user_id: str) -> str:
        """Make a token for an account: 143 URL-safe characters."""
        said = user_id + new_token()
        return said + self._keys.fingerprint(self._purpose, said)

    def user_id(self, token: str) -> str | None:
        """Give the id in a token; None where it is not one that was made here."""
        found = _FORM.fullmatch(token)
        if found is None:
            return None
        seals = [self._keys.fingerprint(self._purpose, found["said"], kid) for kid in self._keys]
        genuine = any(hmac.compare_digest(seal, found["seal"]) for seal in seals)
        return found["user_id"] if genuine else None
