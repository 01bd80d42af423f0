"""A person as an external provider knows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExternalAccount:
    """What a provider said of who signed in, after every check.

    Attributes:
        issuer: who says so: the OpenID `iss`, or the server's URL where it speaks plain OAuth 2.
        subject: who it is there. Unique within the issuer and never given to anybody else (OpenID
            Connect Core 1.0, section 5.7); together with the issuer the only identity.
        email: the address that the provider has, as it wrote it; None where it told none.
        email_verified: whether the address is known to be the person's own.
        full_name: what they are called; one line.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    full_name: str | None
