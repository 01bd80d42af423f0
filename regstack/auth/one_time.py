"""One-time tokens that travel by mail, and how storage knows them."""

from __future__ import annotations

import hashlib
import secrets

TOKEN_BYTES = 32
"""Randomness of a token: 256 bits, so that its hash needs neither salt nor stretching."""


def new_token() -> str:
    """Make a token of 43 URL-safe characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Give the lower-case hexadecimal SHA-256, the only form that storage sees."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
